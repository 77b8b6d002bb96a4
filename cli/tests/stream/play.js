const [from, seconds, done] = arguments;
const video = document.querySelector("video");
let shown = 0;
let start = from;

function answer(error) {
  const quality = video?.getVideoPlaybackQuality();
  done({
    error: error ?? null,
    at: video?.currentTime ?? 0,
    duration: video?.duration ?? 0,
    ready_state: video?.readyState ?? 0,
    pictures: (quality?.totalVideoFrames ?? 0) - shown,
    paused: video?.paused ?? true,
    ended: video?.ended ?? false,
  });
}

async function play() {
  if (!video) {
    throw new Error("no <video> on the page");
  }
  video.muted = true;
  video.addEventListener("error", () => answer(`media error: ${video.error?.message}`));
  if (from !== null) {
    const sought = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
    video.currentTime = from;
    await sought;
  }
  await video.play();
  start ??= video.currentTime;
  shown = video.getVideoPlaybackQuality().totalVideoFrames;
  await new Promise((resolve) => {
    video.addEventListener("ended", resolve);
    video.addEventListener("timeupdate", () => {
      if (video.currentTime >= start + seconds) {
        resolve();
      }
    });
  });
}

play().then(() => answer(), (error) => answer(String(error)));

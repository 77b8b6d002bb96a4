// Runs the part of stremio-video that speaks to a streaming server, as it is published, and plays what it names.
const [server, infoHash, createSource, paramsSource, done] = arguments;
const required = { url: { resolve: (base, path) => new URL(path, base).href } };
const load = (source) => {
  const module = { exports: {} };
  new Function("require", "module", "exports", source)((name) => required[name], module, module.exports);
  return module.exports;
};
const createTorrent = load(createSource);
const fetchVideoParams = load(paramsSource);
const played = (video) =>
  new Promise((resolve, reject) => {
    video.onerror = () => reject(new Error(`video: ${video.error.message}`));
    video.ontimeupdate = () => video.currentTime > 2 && resolve();
    video.play().catch(reject);
  });
(async () => {
  const torrent = await createTorrent(server, infoHash, null, ["tracker:http://127.0.0.1:9/announce"], null);
  const video = document.createElement("video");
  video.crossOrigin = "anonymous";
  video.muted = true;
  video.src = torrent.url;
  document.body.append(video);
  await played(video);
  const params = await fetchVideoParams(server, torrent.url, torrent.infoHash, torrent.fileIdx, {});
  const stats = await (await fetch(new URL(`/${infoHash}/${torrent.fileIdx}/stats.json`, server))).json();
  return { url: torrent.url, fileIdx: torrent.fileIdx, params, duration: video.duration, stats };
})().then(done, (error) => done({ error: String(error) }));

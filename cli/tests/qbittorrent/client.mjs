// Runs the methods of @ctrl/qbittorrent on a daemon.
//
//     node client.mjs ADDR TOKEN TORRENT MAGNET DATA
//
// TORRENT has two files and is seeded, and so is what MAGNET names; DATA is the daemon's folder. TOKEN is the password. The
// module is found below the folder that NODE_PATH names. Prints what it has done, a line each.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const module = `${process.env.NODE_PATH}/@ctrl/qbittorrent/dist/src/index.js`;
const { QBittorrent } = await import(pathToFileURL(module));
const [addr, password, torrent, magnet, data] = process.argv.slice(2);
const client = new QBittorrent({ baseUrl: `http://${addr}/`, username: "any", password });
const done = (what) => console.log(what);

const wait = async (isSo, what) => {
  const until = Date.now() + 120_000;
  while (!(await isSo())) {
    assert(Date.now() < until, what);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
const one = async (hash) => {
  const [found] = await client.listTorrents({ hashes: hash });
  return found;
};

assert.equal(await client.login(), true);
assert.equal(await client.getAppVersion(), "v5.1.4");
assert.equal(await client.getApiVersion(), "2.11.4");
assert.equal(await client.getDefaultSavePath(), data);
assert.match((await client.getBuildInfo()).libtorrent, /^tailwater /);
assert.deepEqual(await client.getCookies(), []);
const preferences = await client.getPreferences();
assert.equal(preferences.save_path, data);
await client.setPreferences({ up_limit: 900_000 });
assert.equal((await client.getPreferences()).up_limit, 900_000);
await client.setPreferences({ up_limit: 0 });
done("app");

await client.createCategory("tv", "tv");
await client.editCategory("tv", `${data}/shows`);
assert.deepEqual(await client.getCategories(), { tv: { name: "tv", savePath: `${data}/shows` } });
await client.createTags("hd,new");
await client.deleteTags("new");
assert.deepEqual(await client.getTags(), ["hd"]);
done("labels");

await client.addTorrent(readFileSync(torrent), { category: "tv", tags: "hd", stopped: "true", filename: "show.torrent" });
const [{ hash }] = await client.listTorrents({ category: "tv" });
await client.addMagnet(magnet, { category: "films", stopped: "true" });
const all = await client.getAllData();
assert.equal(all.torrents.length, 2);
const [show] = all.torrents.filter((it) => it.id === hash);
assert.equal(show.label, "tv");
assert.equal(show.savePath, `${data}/shows`);
assert.equal((await client.getTorrent(hash)).state, "paused");
done("added");

const properties = await client.torrentProperties(hash);
assert.equal((await client.torrentFiles(hash)).length, 2);
assert.equal((await client.torrentPieceStates(hash)).length, properties.pieces_num);
assert.equal((await client.torrentPieceHashes(hash)).length, properties.pieces_num);
assert((await client.torrentTrackers(hash)).length > 3);
assert.deepEqual(await client.torrentWebSeeds(hash), []);
const before = await client.getSyncMainData();
assert.equal(before.full_update, true);
done("read");

await client.setFilePriority(hash, "0", 0);
await client.setFilePriority(hash, ["0", "1"], 1);
await client.setTorrentName(hash, "Another");
await client.setTorrentDownloadLimit(hash, 600_000);
await client.setTorrentUploadLimit(hash, 700_000);
assert.deepEqual(await client.getTorrentDownloadLimit(hash), { [hash]: 600_000 });
assert.deepEqual(await client.getTorrentUploadLimit(hash), { [hash]: 700_000 });
await client.addTorrentTags(hash, "x");
await client.removeTorrentTags(hash, "hd");
await client.resetTorrentCategory(hash);
assert.equal((await one(hash)).category, "");
await client.setTorrentCategory(hash, "films");
const changed = await one(hash);
assert.deepEqual([changed.name, changed.tags, changed.category], ["Another", "x", "films"]);
const after = await client.getSyncMainData(before.rid);
assert.equal(after.full_update, undefined);
assert.equal(after.torrents[hash].name, "Another");
await client.addTrackers(hash, "http://127.0.0.1:1/announce");
// It asks for a call that the original does not have either.
await assert.rejects(client.editTrackers(hash, "http://127.0.0.1:1/announce", "http://127.0.0.1:2/announce"), /404/);
await client.removeTrackers(hash, "http://127.0.0.1:1/announce");
await assert.rejects(client.renameFile(hash, "a", "b"), /409/);
await assert.rejects(client.renameFolder(hash, "a", "b"), /409/);
await assert.rejects(client.topPriority(hash), /409/);
await client.setPreferences({ queueing_enabled: true, max_active_downloads: 5 });
await client.bottomPriority(hash);
assert.equal((await one(hash)).priority, 2);
await client.queueUp(hash);
assert.equal((await one(hash)).priority, 1);
await client.queueDown(hash);
await client.topPriority(hash);
assert.equal((await one(hash)).priority, 1);
await client.setPreferences({ queueing_enabled: false });
done("changed");

await client.setTorrentDownloadLimit(hash, 0);
await client.startTorrent(hash);
await wait(async () => (await one(hash)).progress === 1, "progress");
assert(typeof (await client.torrentPeers(hash)).rid === "number");
await client.reannounceTorrent(hash);
await client.recheckTorrent(hash);
await wait(async () => ["uploading", "stalledUP"].includes((await one(hash)).state), "seeds");
await client.renameFile(hash, "Show/a.mkv", "Show/first.mkv");
await client.renameFolder(hash, "Show", "The Show");
assert.deepEqual((await client.torrentFiles(hash)).map((it) => it.name), ["The Show/first.mkv", "The Show/b.mkv"]);
await client.renameFolder(hash, "The Show", "Show");
await client.setTorrentLocation(hash, "moved");
await wait(async () => (await one(hash)).save_path === `${data}/moved`, "is moved");
await client.stopTorrent("all");
await wait(async () => (await client.listTorrents({ filter: "stopped" })).length === 2, "stopped");
await client.resumeTorrent("all");
await wait(async () => (await client.listTorrents()).every((it) => it.progress === 1), "all are complete");
done("downloaded");

await client.removeTorrent(hash, true);
await client.removeCategory("tv");
await client.removeTorrent("all", true);
assert.deepEqual(await client.listTorrents(), []);
done("removed");

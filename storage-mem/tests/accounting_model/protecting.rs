//! Windows and pins, of the storage and of its model.

use tailwater_storage_mem::{Error, ReaderId, TorrentHandle, Window};

use crate::ops::Op;
use crate::world::World;

impl World {
    pub(crate) fn protect(&mut self, torrent: usize, handle: TorrentHandle, op: &Op) {
        let (storage, model, is_good) = (&self.storage, &mut self.model, self.handles[torrent]);
        let (result, expected) = match *op {
            Op::SetWindow(_, reader, [cursor, ahead, behind, start, end]) => {
                let window = Window {
                    cursor,
                    ahead,
                    behind,
                    bounds: start..end,
                };
                let result = storage.set_window(handle, ReaderId::new(reader), &window);
                let expected = is_good.map(|_| model.set_window(torrent, reader, &window));
                (result, expected)
            }
            Op::RemoveWindow(_, reader) => {
                let result = storage.remove_window(handle, ReaderId::new(reader));
                let expected = is_good.map(|_| model.remove_window(torrent, reader));
                (result, expected)
            }
            Op::SetPins(_, ref pins) => {
                let pins: Vec<_> = pins.iter().map(|&(start, end)| start..end).collect();
                let result = storage.set_pins(handle, &pins);
                let expected = is_good.map(|_| model.set_pins(torrent, &pins));
                (result, expected)
            }
            Op::SetLookbehindPieces(_, pieces) => {
                let result = storage.set_lookbehind_pieces(handle, pieces);
                let expected = is_good.map(|_| {
                    model.set_lookbehind_pieces(torrent, pieces);
                    Ok(())
                });
                (result, expected)
            }
            Op::ClearLookbehind(_, reader) => {
                let result = storage.clear_lookbehind(handle, ReaderId::new(reader));
                let expected = is_good.map(|_| model.clear_lookbehind(torrent, reader));
                (result, expected)
            }
            // A piece that the torrent does not have.
            _ => return,
        };
        assert_eq!(result, expected.unwrap_or(Err(Error::StaleHandle)));
    }
}

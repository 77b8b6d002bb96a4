//! Cuts the bytes of a body into blocks.

use bytes::{Bytes, BytesMut};
use tailwater_metainfo::{BLOCK_LEN, BlockRef, Geometry};

/// Cuts bytes that come in order into blocks. It holds less than one block.
#[derive(Debug)]
pub(crate) struct Assembler {
    geometry: Geometry,
    /// The position in the torrent of the next byte.
    position: u64,
    /// The beginning of a block.
    held: BytesMut,
}

impl Assembler {
    /// For bytes that begin at this position in the torrent, where a block begins.
    pub(crate) fn new(geometry: Geometry, position: u64) -> Self {
        Self {
            geometry,
            position,
            held: BytesMut::new(),
        }
    }

    /// Where the block begins that the next byte belongs to.
    pub(crate) fn block_start(&self) -> u64 {
        self.position - self.held.len() as u64
    }

    /// Takes bytes, and gives the blocks that are whole now.
    pub(crate) fn push(&mut self, mut bytes: Bytes) -> Vec<(BlockRef, Bytes)> {
        let mut blocks = Vec::new();
        while !bytes.is_empty() {
            let Some(block) = self.block() else {
                // Behind the end of the torrent: more than was asked for.
                break;
            };
            let missing = (block.len() as usize).saturating_sub(self.held.len());
            let part = bytes.split_to(missing.min(bytes.len()));
            if self.held.is_empty() {
                self.held.reserve(block.len() as usize);
            }
            self.position += part.len() as u64;
            self.held.extend_from_slice(&part);
            if self.held.len() == block.len() as usize {
                blocks.push((block, self.held.split().freeze()));
            }
        }
        blocks
    }

    fn block(&self) -> Option<BlockRef> {
        let start = self.block_start();
        let piece = self.geometry.piece_at(start)?;
        let offset = start.checked_sub(self.geometry.piece_start(piece))?;
        let number = u32::try_from(offset / u64::from(BLOCK_LEN)).ok()?;
        self.geometry.nth_block(piece, number)
    }
}

//! Bytes from a stranger become messages, or the reason why not.

use bytes::{Buf, Bytes, BytesMut};
use release::hash::Hash32;
use thiserror::Error;

use super::message::id;
use super::packed::PAYLOAD_MAX;
use super::{BLOCK_LENGTH, HashRange, MAX_HASHES, MU_ZSTD, Message};

/// Extension messages are dictionaries of a few hundred bytes and PEX lists; more than this is no one we know.
const MAX_EXTENDED: u32 = 32 * 1024;
/// A message we do not know is skipped if it is small.
const MAX_UNKNOWN: u32 = 1024;
/// Uncle hashes above 512 base hashes: no tree is higher.
const MAX_UNCLES: u32 = 32;

/// What a peer sent was not the peer wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// The frame is longer (or shorter) than its kind can be.
    #[error("message {id} with a body of {length} bytes")]
    Length {
        /// The message's number.
        id: u8,
        /// The frame's length as it was announced.
        length: u32,
    },
}

/// Splits a stream of bytes into messages.
///
/// The driver reads into [`Decoder::buffer`] (or calls [`Decoder::feed`]) and then takes messages until there is none.
/// Invariant: what is buffered and not yet taken is at most one frame and what the driver read at once.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    bitfield_len: u32,
}

impl Decoder {
    /// A decoder for a torrent with so many pieces.
    #[must_use]
    pub fn new(piece_count: u32) -> Self {
        Self { buffer: BytesMut::new(), bitfield_len: piece_count.div_ceil(8) }
    }

    /// Appends received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where a driver may read into without a copy.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole message.
    ///
    /// # Errors
    /// [`WireError`] as soon as the prefix shows that the frame cannot be right; the connection is then of no use.
    #[expect(clippy::should_implement_trait, reason = "not an iterator: more bytes may come after None")]
    pub fn next(&mut self) -> Result<Option<Message>, WireError> {
        let Some((prefix, rest)) = self.buffer.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix);
        if length == 0 {
            self.buffer.advance(4);
            return Ok(Some(Message::KeepAlive));
        }
        let Some(&id) = rest.first() else { return Ok(None) };
        let body = length - 1;
        if !self.length_fits(id, body) {
            return Err(WireError::Length { id, length });
        }
        // Of the extensions only packed blocks are longer; which it is stands in the next byte.
        if id == id::EXTENDED && body > 1 + MAX_EXTENDED {
            match rest.get(1) {
                Some(&MU_ZSTD) => {}
                Some(_) => return Err(WireError::Length { id, length }),
                None => return Ok(None),
            }
        }
        let frame = 4 + length as usize;
        if self.buffer.len() < frame {
            self.buffer.reserve(frame - self.buffer.len());
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(frame).freeze();
        frame.advance(5);
        parse(id, frame).map(Some).ok_or(WireError::Length { id, length })
    }

    fn length_fits(&self, id: u8, body: u32) -> bool {
        match id {
            id::CHOKE..=id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => body == 0,
            id::HAVE | id::SUGGEST | id::ALLOWED_FAST => body == 4,
            id::BITFIELD => body == self.bitfield_len,
            id::REQUEST | id::CANCEL | id::REJECT => body == 12,
            id::PIECE => (9..=8 + BLOCK_LENGTH).contains(&body),
            id::PORT => body == 2,
            id::EXTENDED => (1..=1 + PAYLOAD_MAX).contains(&body),
            id::HASH_REQUEST | id::HASH_REJECT => body == 48,
            id::HASHES => {
                (48..=48 + 32 * (MAX_HASHES + MAX_UNCLES)).contains(&body) && (body - 48).is_multiple_of(32)
            }
            _ => body <= MAX_UNKNOWN,
        }
    }
}

/// Reads a body whose length was checked; `None` would mean the check and the reader disagree.
fn parse(id: u8, mut body: Bytes) -> Option<Message> {
    Some(match id {
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::HAVE => Message::Have { piece: word(&mut body)? },
        id::BITFIELD => Message::Bitfield(body),
        id::REQUEST => {
            Message::Request { index: word(&mut body)?, begin: word(&mut body)?, length: word(&mut body)? }
        }
        id::PIECE => Message::Piece { index: word(&mut body)?, begin: word(&mut body)?, data: body },
        id::CANCEL => {
            Message::Cancel { index: word(&mut body)?, begin: word(&mut body)?, length: word(&mut body)? }
        }
        id::PORT => Message::Port(body.try_get_u16().ok()?),
        id::SUGGEST => Message::Suggest { piece: word(&mut body)? },
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::REJECT => {
            Message::Reject { index: word(&mut body)?, begin: word(&mut body)?, length: word(&mut body)? }
        }
        id::ALLOWED_FAST => Message::AllowedFast { piece: word(&mut body)? },
        id::EXTENDED => Message::Extended { id: body.try_get_u8().ok()?, payload: body },
        id::HASH_REQUEST => Message::HashRequest(hash_range(&mut body)?),
        id::HASHES => Message::Hashes { range: hash_range(&mut body)?, hashes: hashes(&body)? },
        id::HASH_REJECT => Message::HashReject(hash_range(&mut body)?),
        id => Message::Unknown { id },
    })
}

fn word(body: &mut Bytes) -> Option<u32> {
    body.try_get_u32().ok()
}

fn hash_range(body: &mut Bytes) -> Option<HashRange> {
    let mut root = [0; 32];
    body.try_copy_to_slice(&mut root).ok()?;
    Some(HashRange {
        pieces_root: Hash32(root),
        base_layer: word(body)?,
        index: word(body)?,
        length: word(body)?,
        proof_layers: word(body)?,
    })
}

fn hashes(body: &[u8]) -> Option<Vec<Hash32>> {
    let (hashes, rest) = body.as_chunks::<32>();
    rest.is_empty().then(|| hashes.iter().map(|hash| Hash32(*hash)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encode;
    use super::*;

    const PIECES: u32 = 20;

    fn samples() -> Vec<Message> {
        let (index, begin, length) = (3, 16384, 100);
        let range = HashRange {
            pieces_root: Hash32([9; 32]),
            base_layer: 4,
            index: 512,
            length: 512,
            proof_layers: 11,
        };
        vec![
            Message::KeepAlive,
            Message::Choke,
            Message::Unchoke,
            Message::Interested,
            Message::NotInterested,
            Message::Have { piece: 7 },
            Message::Bitfield(Bytes::from_static(&[1, 2, 0x30])),
            Message::Request { index, begin, length },
            Message::Piece { index, begin, data: Bytes::from(vec![5; BLOCK_LENGTH as usize]) },
            Message::Cancel { index, begin, length },
            Message::Port(6881),
            Message::Suggest { piece: 1 },
            Message::HaveAll,
            Message::HaveNone,
            Message::Reject { index, begin, length },
            Message::AllowedFast { piece: 2 },
            Message::Extended { id: 0, payload: Bytes::from_static(b"de") },
            Message::HashRequest(range),
            Message::Hashes { range, hashes: vec![Hash32([1; 32]); range.hash_count() as usize] },
            Message::HashReject(range),
        ]
    }

    fn stream() -> Vec<u8> {
        let mut bytes = Vec::new();
        samples().iter().for_each(|m| encode(m, &mut bytes));
        bytes
    }

    fn drain(decoder: &mut Decoder) -> Vec<Message> {
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }

    #[test]
    fn every_message_goes_round_in_any_slices() {
        for slice in [1, 3, 17, 1000, 1 << 20] {
            let mut decoder = Decoder::new(PIECES);
            let mut seen = Vec::new();
            for bytes in stream().chunks(slice) {
                decoder.feed(bytes);
                seen.extend(drain(&mut decoder));
            }
            assert_eq!(seen, samples(), "in slices of {slice}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_refused_from_its_prefix() {
        let cases: &[(u32, u8)] = &[
            (9 + BLOCK_LENGTH + 1, id::PIECE),
            (9, id::PIECE),
            (1 + PIECES.div_ceil(8) + 1, id::BITFIELD),
            (PIECES.div_ceil(8), id::BITFIELD),
            (u32::MAX, id::EXTENDED),
            (u32::MAX, 99),
            (2, id::CHOKE),
            (12, id::REQUEST),
            (1 + 48 + 33, id::HASHES),
            (1 + 47, id::HASH_REQUEST),
        ];
        for &(length, id) in cases {
            let mut decoder = Decoder::new(PIECES);
            decoder.feed(&length.to_be_bytes());
            decoder.feed(&[id]);
            assert_eq!(decoder.next(), Err(WireError::Length { id, length }));
        }
    }

    #[test]
    fn an_unknown_message_is_skipped() {
        let mut decoder = Decoder::new(PIECES);
        decoder.feed(&[0, 0, 0, 3, 77, 1, 2, 0, 0, 0, 1, 0]);
        assert_eq!(drain(&mut decoder), vec![Message::Unknown { id: 77 }, Message::Choke]);
    }

    #[test]
    fn hashes_are_counted_as_bep_52_and_libtorrent_do() {
        let range = |length, proof_layers| HashRange {
            pieces_root: Hash32([0; 32]),
            base_layer: 0,
            index: 0,
            length,
            proof_layers,
        };
        for (length, proof, count) in
            [(2, 0, 2), (2, 1, 3), (512, 8, 512), (512, 9, 513), (512, 11, 515), (4, 1, 4)]
        {
            assert_eq!(range(length, proof).hash_count(), count, "{length} with {proof} proof layers");
        }
    }

    proptest! {
        #[test]
        fn noise_never_panics_nor_is_kept(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let mut decoder = Decoder::new(PIECES);
            decoder.feed(&bytes);
            while let Ok(Some(_)) = decoder.next() {}
        }
    }

    #[test]
    fn of_the_extensions_only_packed_blocks_are_long_and_that_is_seen_at_once() {
        let long = 1 + MAX_EXTENDED + 1;
        let head = |length: u32, number: u8| [&length.to_be_bytes()[..], &[id::EXTENDED, number]].concat();
        let next = |bytes: &[u8]| {
            let mut decoder = Decoder::new(8);
            decoder.feed(bytes);
            decoder.next()
        };
        assert_eq!(next(&head(1 + long, MU_ZSTD)), Ok(None));
        assert_eq!(next(&head(1 + long, MU_ZSTD)[..5]), Ok(None));
        assert!(next(&head(1 + long, MU_ZSTD - 1)).is_err());
        assert!(next(&head(1 + 1 + PAYLOAD_MAX + 1, MU_ZSTD)).is_err());
        let mut whole = head(1 + long, MU_ZSTD);
        whole.resize(4 + 1 + long as usize, 7);
        assert!(matches!(next(&whole), Ok(Some(Message::Extended { id: MU_ZSTD, .. }))));
    }
}

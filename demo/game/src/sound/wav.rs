//! WAV files, 16 bits, one or two channels: written by the synthesiser, read by the game.

/// A sound in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Frames a second.
    pub rate: u32,
    /// Left and right, one pair a frame.
    pub frames: Vec<[i16; 2]>,
}

/// Why bytes are not a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// The header is missing or cut.
    #[error("not a WAV file")]
    Header,
    /// Only 16-bit PCM with one or two channels is played.
    #[error("a WAV format the game does not play")]
    Format,
}

impl Clip {
    /// The clip as a stereo WAV file.
    pub fn encode(&self) -> Vec<u8> {
        let size = (self.frames.len() * 4) as u32;
        let mut out = Vec::with_capacity(44 + self.frames.len() * 4);
        out.extend(b"RIFF");
        out.extend((36 + size).to_le_bytes());
        out.extend(b"WAVEfmt ");
        out.extend(16_u32.to_le_bytes());
        out.extend(1_u16.to_le_bytes());
        out.extend(2_u16.to_le_bytes());
        out.extend(self.rate.to_le_bytes());
        out.extend((self.rate * 4).to_le_bytes());
        out.extend(4_u16.to_le_bytes());
        out.extend(16_u16.to_le_bytes());
        out.extend(b"data");
        out.extend(size.to_le_bytes());
        for frame in &self.frames {
            out.extend(frame[0].to_le_bytes());
            out.extend(frame[1].to_le_bytes());
        }
        out
    }

    /// Reads a WAV file.
    pub fn decode(bytes: &[u8]) -> Result<Self, WavError> {
        if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
            return Err(WavError::Header);
        }
        let format = chunk(bytes, b"fmt ").ok_or(WavError::Header)?;
        let data = chunk(bytes, b"data").ok_or(WavError::Header)?;
        let word = |at: usize| format.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let (kind, channels, bits) = (word(0), word(2), word(14));
        let rate = format.get(4..8).ok_or(WavError::Header)?;
        if kind != Some(1) || bits != Some(16) {
            return Err(WavError::Format);
        }
        let sample = |b: &[u8]| i16::from_le_bytes([b[0], b[1]]);
        let frames = match channels {
            Some(1) => data.chunks_exact(2).map(|b| [sample(b); 2]).collect(),
            Some(2) => data.chunks_exact(4).map(|b| [sample(b), sample(&b[2..])]).collect(),
            _ => return Err(WavError::Format),
        };
        Ok(Self { rate: u32::from_le_bytes([rate[0], rate[1], rate[2], rate[3]]), frames })
    }
}

fn chunk<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    let mut at = 12;
    loop {
        let head = bytes.get(at..at + 8)?;
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = bytes.get(at + 8..(at + 8).checked_add(size)?)?;
        if &head[..4] == name {
            return Some(body);
        }
        at += 8 + size + size % 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_survives_its_file() {
        let clip = Clip { rate: 44_100, frames: vec![[1, -2], [300, -400]] };
        assert_eq!(Clip::decode(&clip.encode()), Ok(clip));
    }

    #[test]
    fn cut_and_foreign_files_are_refused() {
        let bytes = Clip { rate: 8000, frames: vec![[0, 0]; 9] }.encode();
        assert_eq!(Clip::decode(&bytes[..50]), Err(WavError::Header));
        assert_eq!(Clip::decode(b"OggS"), Err(WavError::Header));
    }
}

//! The mixer: one looping piece of music that changes softly, and short sounds over it. It knows no
//! device; whoever has one asks it to fill a buffer.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::wav::Clip;

/// What the game asks for.
#[derive(Clone, Debug)]
pub enum Order {
    /// Play this once.
    Play(Arc<Clip>),
    /// Let this be the music from now on.
    Music(Arc<Clip>),
    /// 0 = silent, 1 = full.
    Volume(f32),
}

/// Short sounds at the same time; more are not heard.
const VOICES_MAX: usize = 12;

struct Voice {
    clip: Arc<Clip>,
    position: f64,
    level: f32,
}

/// Mixes what has been ordered.
pub struct Mixer {
    orders: Receiver<Order>,
    voices: Vec<Voice>,
    /// The last one fades in, the others out.
    music: Vec<Voice>,
    volume: f32,
}

impl Mixer {
    /// A silent mixer that listens for orders.
    pub fn new(orders: Receiver<Order>) -> Self {
        Self { orders, voices: Vec::new(), music: Vec::new(), volume: 1.0 }
    }

    /// Fills interleaved samples of `channels` at `rate` frames a second.
    pub fn fill(&mut self, out: &mut [f32], channels: usize, rate: u32) {
        self.obey();
        for frame in out.chunks_mut(channels.max(1)) {
            let sound = self.next_frame(rate);
            for (channel, sample) in frame.iter_mut().enumerate() {
                *sample = (sound[channel % 2] * self.volume).clamp(-1.0, 1.0);
            }
        }
        self.voices.retain(|voice| voice.position < voice.clip.frames.len() as f64);
        let last = self.music.len().saturating_sub(1);
        let mut index = 0;
        self.music.retain(|voice| {
            index += 1;
            index > last || voice.level > 0.001
        });
    }

    fn obey(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Play(clip) if self.voices.len() < VOICES_MAX => {
                    self.voices.push(Voice::new(clip, 0.9))
                }
                Order::Play(_) => {}
                Order::Music(clip) => self.music.push(Voice::new(clip, 0.0)),
                Order::Volume(volume) => self.volume = volume.clamp(0.0, 1.0),
            }
        }
    }

    fn next_frame(&mut self, rate: u32) -> [f32; 2] {
        let mut sum = [0.0; 2];
        for voice in &mut self.voices {
            voice.add(&mut sum, rate, false);
        }
        let last = self.music.len().saturating_sub(1);
        for (index, voice) in self.music.iter_mut().enumerate() {
            let goal = if index == last { 0.55 } else { 0.0 };
            voice.level += (goal - voice.level) * 1.5 / rate as f32;
            voice.add(&mut sum, rate, true);
        }
        sum
    }
}

impl Voice {
    fn new(clip: Arc<Clip>, level: f32) -> Self {
        Self { clip, position: 0.0, level }
    }

    fn add(&mut self, sum: &mut [f32; 2], rate: u32, looped: bool) {
        let length = self.clip.frames.len() as f64;
        if looped && self.position >= length {
            self.position -= length;
        }
        if let Some(frame) = self.clip.frames.get(self.position as usize) {
            for (total, sample) in sum.iter_mut().zip(frame) {
                *total += f32::from(*sample) / 32_768.0 * self.level;
            }
        }
        self.position += f64::from(self.clip.rate) / f64::from(rate.max(1));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_short_sound_is_heard_once_and_music_goes_on() {
        let (orders, inbox) = channel();
        let mut mixer = Mixer::new(inbox);
        let clip = Arc::new(Clip { rate: 1000, frames: vec![[16_384; 2]; 100] });
        orders.send(Order::Play(clip.clone())).unwrap();
        let mut out = [0.0; 400];
        mixer.fill(&mut out, 2, 1000);
        assert!(out[0] > 0.4 && out[399] == 0.0);
        orders.send(Order::Music(clip)).unwrap();
        for _ in 0..20 {
            mixer.fill(&mut out, 2, 1000);
        }
        assert!(out.iter().all(|sample| *sample > 0.2));
    }
}

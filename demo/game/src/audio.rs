//! The sound device, if there is one. Without one the game is silent and goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{SampleFormat, Stream, StreamConfig};

use crate::files::FileError;
use crate::rules::Event;
use crate::sound::mixer::{Mixer, Order};
use crate::sound::wav::{Clip, WavError};

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// No output device.
    #[error("no sound device")]
    NoDevice,
    /// A device that cannot play what the mixer makes.
    #[error("the sound device wants {0:?} samples")]
    Samples(SampleFormat),
    /// The device refused.
    #[error("sound device: {0}")]
    Device(#[from] cpal::Error),
    /// A sound file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A sound file is not what it should be.
    #[error("{0}: {1}")]
    Wav(String, WavError),
}

/// The running sound.
pub struct Audio {
    orders: Sender<Order>,
    effects: BTreeMap<&'static str, Arc<Clip>>,
    music: BTreeMap<String, Arc<Clip>>,
    playing: Option<String>,
    muted: bool,
    _stream: Stream,
}

impl Audio {
    /// Opens the default device and reads the sounds of a data folder; `music` names its music files.
    pub fn open(data: &Path, music: &[String]) -> Result<Self, AudioError> {
        let (orders, inbox) = channel();
        let stream = start(Mixer::new(inbox))?;
        let names = ["catch", "golden", "hurt", "flare", "level", "over"];
        let effects = names
            .into_iter()
            .map(|name| Ok((name, clip(&data.join("sounds").join(format!("{name}.wav")))?)))
            .collect::<Result<_, AudioError>>()?;
        let music = music
            .iter()
            .map(|name| Ok((name.clone(), clip(&data.join(name))?)))
            .collect::<Result<_, AudioError>>()?;
        Ok(Self { orders, effects, music, playing: None, muted: false, _stream: stream })
    }

    /// Lets this piece be the music.
    pub fn music(&mut self, name: &str) {
        if self.playing.as_deref() == Some(name) {
            return;
        }
        if let Some(clip) = self.music.get(name) {
            self.order(Order::Music(clip.clone()));
            self.playing = Some(name.to_owned());
        }
    }

    /// Plays what belongs to an event.
    pub fn event(&self, event: &Event) {
        let name = match event {
            Event::Caught { golden: true, .. } => "golden",
            Event::Caught { .. } => "catch",
            Event::Hurt { .. } => "hurt",
            Event::Flared => "flare",
            Event::LevelReached | Event::Started => "level",
            Event::WentOut => "over",
            Event::Dispersed { .. } => return,
        };
        if let Some(clip) = self.effects.get(name) {
            self.order(Order::Play(clip.clone()));
        }
    }

    /// Sound on or off.
    pub fn toggle(&mut self) {
        self.muted = !self.muted;
        self.order(Order::Volume(if self.muted { 0.0 } else { 1.0 }));
    }

    fn order(&self, order: Order) {
        // The other end lives as long as the stream; a device that was pulled out leaves silence.
        if self.orders.send(order).is_err() {
            eprintln!("emberfall: the sound device is gone");
        }
    }
}

fn start(mut mixer: Mixer) -> Result<Stream, AudioError> {
    let device = cpal::default_host().default_output_device().ok_or(AudioError::NoDevice)?;
    let supported = device.default_output_config()?;
    let format = supported.sample_format();
    let config: StreamConfig = supported.into();
    let (channels, rate) = (usize::from(config.channels), config.sample_rate);
    let failed = |error: cpal::Error| eprintln!("emberfall: sound device: {error}");
    let stream = match format {
        SampleFormat::F32 => device.build_output_stream(
            config,
            move |out: &mut [f32], _| mixer.fill(out, channels, rate),
            failed,
            None,
        )?,
        SampleFormat::I16 => {
            let mut buffer = Vec::new();
            let fill = move |out: &mut [i16], _: &cpal::OutputCallbackInfo| {
                buffer.resize(out.len(), 0.0);
                mixer.fill(&mut buffer, channels, rate);
                for (sample, value) in out.iter_mut().zip(&buffer) {
                    *sample = (value * 32_767.0) as i16;
                }
            };
            device.build_output_stream(config, fill, failed, None)?
        }
        other => return Err(AudioError::Samples(other)),
    };
    stream.play()?;
    Ok(stream)
}

fn clip(path: &Path) -> Result<Arc<Clip>, AudioError> {
    let bytes = std::fs::read(path).map_err(|source| FileError::Io { path: path.to_owned(), source })?;
    let clip = Clip::decode(&bytes).map_err(|error| AudioError::Wav(path.display().to_string(), error))?;
    Ok(Arc::new(clip))
}

//! The stage of the derivation that reads batches out of channels.
//!
//! Source: Optimism specification, `protocol/derivation.md`, "Channel Format": decompressed data
//! counts up to a limit, and what is beyond it, or beyond an error in the compressed data, does
//! not spoil the batches before it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use alloy_primitives::Bytes;
use alloy_rlp::Decodable;
use async_trait::async_trait;
use kona_derive::{
    BatchStreamProvider, ChannelReaderProvider, OriginAdvancer, OriginProvider, PipelineError,
    PipelineResult, Signal, SignalReceiver,
};
use kona_genesis::RollupConfig;
use kona_protocol::{Batch, BlockInfo};

use crate::decompress::decompress;

/// Reads batches out of the channels of the stage before.
#[derive(Debug)]
pub struct ChannelReader<P> {
    previous: P,
    config: Arc<RollupConfig>,
    /// What is left of the current channel, decompressed.
    channel: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    data: Vec<u8>,
    read: usize,
}

impl<P: ChannelReaderProvider + OriginProvider> ChannelReader<P> {
    /// Reads from the channels of `previous`.
    pub const fn new(previous: P, config: Arc<RollupConfig>) -> Self {
        Self {
            previous,
            config,
            channel: None,
        }
    }

    async fn open(&mut self) -> PipelineResult<Rest> {
        let data = self.previous.next_data().await?;
        let data = data.ok_or(PipelineError::ChannelReaderEmpty.temp())?;
        let origin = self
            .previous
            .origin()
            .ok_or(PipelineError::MissingOrigin.crit())?;
        let limit = self.config.max_rlp_bytes_per_channel(origin.timestamp) as usize;
        let has_brotli = self.config.is_fjord_active(origin.timestamp);
        let data = decompress(&data, limit, has_brotli);
        // A channel that cannot be read is dropped, and the next one tried.
        let data = data.ok_or(PipelineError::NotEnoughData.temp())?;
        Ok(Rest { data, read: 0 })
    }
}

impl Rest {
    /// The next batch. None after the last one, or if the next one makes no sense.
    fn next(&mut self, config: &RollupConfig) -> Option<Batch> {
        let mut rest = &self.data[self.read..];
        let encoded = Bytes::decode(&mut rest).ok()?;
        self.read = self.data.len() - rest.len();
        Batch::decode(&mut &encoded[..], config).ok()
    }
}

#[async_trait]
impl<P> BatchStreamProvider for ChannelReader<P>
where
    P: ChannelReaderProvider + OriginProvider + Send,
{
    async fn next_batch(&mut self) -> PipelineResult<Batch> {
        let mut channel = match self.channel.take() {
            Some(channel) => channel,
            None => self.open().await?,
        };
        let batch = channel.next(&self.config);
        let batch = batch.ok_or(PipelineError::NotEnoughData.temp())?;
        self.channel = Some(channel);
        Ok(batch)
    }

    fn flush(&mut self) {
        self.channel = None;
    }
}

#[async_trait]
impl<P: OriginAdvancer + Send> OriginAdvancer for ChannelReader<P> {
    async fn advance_origin(&mut self) -> PipelineResult<()> {
        self.previous.advance_origin().await
    }
}

impl<P: OriginProvider> OriginProvider for ChannelReader<P> {
    fn origin(&self) -> Option<BlockInfo> {
        self.previous.origin()
    }
}

#[async_trait]
impl<P: SignalReceiver + Send> SignalReceiver for ChannelReader<P> {
    async fn signal(&mut self, signal: Signal) -> PipelineResult<()> {
        if !matches!(signal, Signal::FlushChannel) {
            self.previous.signal(signal).await?;
        }
        self.channel = None;
        Ok(())
    }
}

//! The derivation pipeline over the program's own providers.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;

use async_trait::async_trait;
use kona_derive::{
    ActivationSignal, AttributesQueue, BatchProvider, BatchStream, ChannelProvider,
    DerivationPipeline, EthereumDataSource, FrameQueue, L1Retrieval, OriginProvider, Pipeline,
    PipelineErrorKind, PipelineResult, PollingTraversal, ResetError, ResetSignal, Signal,
    SignalReceiver, StatefulAttributesBuilder, StepResult,
};
use kona_driver::{DriverPipeline, PipelineCursor, TipCursor};
use kona_genesis::{RollupConfig, SystemConfig};
use kona_protocol::{BlockInfo, L2BlockInfo, OpAttributesWithParent};
use spin::RwLock;

use crate::blobs::Blobs;
use crate::channel::ChannelReader;
use crate::error::Error;
use crate::l1::L1Chain;
use crate::l2::L2Chain;
use crate::preimages::Preimages;
use crate::rules::Rules;

type Retrieval = L1Retrieval<EthereumDataSource<L1Chain, Blobs>, PollingTraversal<L1Chain>>;
type Channels = ChannelReader<ChannelProvider<FrameQueue<Retrieval>>>;
type Batches = BatchProvider<BatchStream<Channels, L2Chain>, L2Chain>;
type Stages = AttributesQueue<Batches, StatefulAttributesBuilder<L1Chain, L2Chain>>;
/// The pipeline proper.
pub(crate) type Inner = DerivationPipeline<Stages, L2Chain>;

/// The pipeline, and what it takes to reset it.
#[derive(Debug)]
pub(crate) struct L2Pipeline {
    inner: Inner,
    preimages: Preimages,
    rules: Rules,
    l1: L1Chain,
    l2: L2Chain,
    /// The safe head of the last reset: a second one there would go on for ever.
    last_reset: Option<L2BlockInfo>,
}

impl L2Pipeline {
    /// A pipeline that derives the block after `safe_head` next.
    pub(crate) async fn new(
        preimages: Preimages,
        rules: Rules,
        l1: L1Chain,
        l2: L2Chain,
        safe_head: L2BlockInfo,
    ) -> Result<Self, PipelineErrorKind> {
        let config = &rules.config;
        let blobs = Blobs::new(preimages.clone());
        let source = EthereumDataSource::new_from_parts(l1.clone(), blobs, config);
        let traversal = PollingTraversal::new(l1.clone(), config.clone());
        let frames = FrameQueue::new(L1Retrieval::new(traversal, source), config.clone());
        let channels = ChannelProvider::new(config.clone(), frames);
        let channels = ChannelReader::new(channels, config.clone());
        let batches = BatchStream::new(channels, config.clone(), l2.clone());
        let batches = BatchProvider::new(config.clone(), batches, l2.clone());
        let attributes = StatefulAttributesBuilder::new(config.clone(), l2.clone(), l1.clone());
        let stages = AttributesQueue::new(config.clone(), batches, attributes);
        let inner = DerivationPipeline::new(stages, config.clone(), l2.clone());
        let last_reset = None;
        let mut pipeline = Self {
            inner,
            preimages,
            rules,
            l1,
            l2,
            last_reset,
        };
        pipeline.reset(safe_head).await?;
        Ok(pipeline)
    }

    /// Begins anew, so early on L1 that no channel is missed that may have the next block.
    async fn reset(&mut self, safe_head: L2BlockInfo) -> PipelineResult<()> {
        if self.last_reset.replace(safe_head) == Some(safe_head) {
            let error = Error::Derivation(format!("reset twice at {safe_head}"));
            return Err(self.preimages.fail(error).into());
        }
        let origin = self.first_origin(&safe_head)?;
        let system_config = self.system_config_at(safe_head, origin)?;
        let signal = ResetSignal {
            l2_safe_head: safe_head,
            l1_origin: origin,
            system_config: Some(system_config),
        };
        self.signal_stages(signal.signal()).await
    }

    /// The L1 block a channel timeout before the origin of `safe_head`.
    fn first_origin(&mut self, safe_head: &L2BlockInfo) -> Result<BlockInfo, Error> {
        let config = &self.rules.config;
        let origin = self.l1.block_by_number(safe_head.l1_origin.number)?;
        if origin.hash != safe_head.l1_origin.hash {
            let (number, reason) = (
                safe_head.block_info.number,
                "its origin is not on this L1 chain",
            );
            let reason = reason.to_string();
            return Err(self.preimages.fail(Error::L2Block { number, reason }));
        }
        let timeout = config.channel_timeout(safe_head.block_info.timestamp);
        let first = origin.number.saturating_sub(timeout);
        let mut first = first.max(config.genesis.l1.number);
        // The batch queue keeps the first block as an epoch and then finds the safe head not to
        // be in it, if that comes next. Block 0 of an L1 has no transactions to miss. From
        // Holocene on there is a batch validator instead, which does not want for this.
        if first + 1 == origin.number && !config.is_holocene_active(origin.timestamp) {
            first = first.checked_sub(1).unwrap_or(origin.number);
        }
        self.l1.block_by_number(first)
    }

    /// The system configuration at L1 block `origin`, which may lie before or after the origin
    /// of `safe_head`. An L2 block has the configuration at its own origin.
    fn system_config_at(
        &mut self,
        safe_head: L2BlockInfo,
        origin: BlockInfo,
    ) -> Result<SystemConfig, Error> {
        let mut base = safe_head;
        // Only if the configuration changed in between does an older block have to be found.
        while base.l1_origin.number > origin.number
            && base.block_info.number > self.rules.config.genesis.l2.number
            && self.changed(origin.number, base.l1_origin.number)?
        {
            base = self.l2.info(base.block_info.number - 1)?;
        }
        let mut config = self.l2.system_config(base.block_info.number)?;
        for number in base.l1_origin.number + 1..=origin.number {
            self.update(&mut config, number)?;
        }
        Ok(config)
    }

    /// Whether the system configuration changed in an L1 block after `from`, up to `to`.
    fn changed(&mut self, from: u64, to: u64) -> Result<bool, Error> {
        let mut scratch = SystemConfig::default();
        for number in from + 1..=to {
            if self.update(&mut scratch, number)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn update(&mut self, config: &mut SystemConfig, number: u64) -> Result<bool, Error> {
        let block = self.l1.block_by_number(number)?;
        let receipts = self.l1.receipts(block.hash)?;
        let rollup = &self.rules.config;
        let ecotone = rollup.is_ecotone_active(block.timestamp);
        config
            .update_with_receipts(&receipts, rollup.l1_system_config_address, ecotone)
            .map_err(|e| {
                let reason = format!("system configuration at L1 block {number}: {e}");
                self.preimages.fail(Error::Derivation(reason))
            })
    }

    /// Since Holocene comes to stages by a signal, with everything else as it was.
    async fn activate_holocene(&mut self, safe_head: L2BlockInfo) -> PipelineResult<()> {
        let missing = || Error::Derivation("Holocene without an origin".to_string());
        let origin = self.origin().ok_or_else(missing)?;
        let system_config = self.system_config_at(safe_head, origin)?;
        let signal = ActivationSignal {
            l2_safe_head: safe_head,
            l1_origin: origin,
            system_config: Some(system_config),
        };
        self.signal_stages(signal.signal()).await
    }

    /// Past `DerivationPipeline::signal`, which would put the safe head's system configuration
    /// in the place of the one at the origin.
    async fn signal_stages(&mut self, signal: Signal) -> PipelineResult<()> {
        use kona_derive::PipelineError::Eof;
        match self.inner.attributes.signal(signal).await {
            Err(PipelineErrorKind::Temporary(Eof)) => Ok(()),
            other => other,
        }
    }
}

#[async_trait]
impl DriverPipeline<Inner> for L2Pipeline {
    fn flush(&mut self) {}

    /// The attributes of the block after `safe_head`.
    async fn produce_payload(
        &mut self,
        safe_head: L2BlockInfo,
    ) -> Result<OpAttributesWithParent, PipelineErrorKind> {
        loop {
            let result = self.inner.step(safe_head).await;
            // Stages call some errors of providers temporary, and they are not.
            if let Some(failure) = self.preimages.failure() {
                return Err(failure.into());
            }
            match result {
                StepResult::PreparedAttributes | StepResult::AdvancedOrigin => {}
                StepResult::OriginAdvanceErr(error) | StepResult::StepFailed(error) => {
                    match error {
                        PipelineErrorKind::Temporary(_) => {}
                        PipelineErrorKind::Reset(ResetError::HoloceneActivation) => {
                            self.activate_holocene(safe_head).await?;
                        }
                        PipelineErrorKind::Reset(_) => self.reset(safe_head).await?,
                        critical @ PipelineErrorKind::Critical(_) => return Err(critical),
                    }
                }
            }
            if let Some(attributes) = self.inner.next() {
                return Ok(attributes);
            }
        }
    }
}

#[async_trait]
impl SignalReceiver for L2Pipeline {
    async fn signal(&mut self, signal: Signal) -> PipelineResult<()> {
        self.inner.signal(signal).await
    }
}

impl OriginProvider for L2Pipeline {
    fn origin(&self) -> Option<BlockInfo> {
        self.inner.origin()
    }
}

impl Iterator for L2Pipeline {
    type Item = OpAttributesWithParent;

    fn next(&mut self) -> Option<Self::Item> {
        self.inner.next()
    }
}

#[async_trait]
impl Pipeline for L2Pipeline {
    fn peek(&self) -> Option<&OpAttributesWithParent> {
        self.inner.peek()
    }

    async fn step(&mut self, cursor: L2BlockInfo) -> StepResult {
        self.inner.step(cursor).await
    }

    fn rollup_config(&self) -> &RollupConfig {
        self.inner.rollup_config()
    }

    async fn system_config_by_number(
        &mut self,
        number: u64,
    ) -> Result<SystemConfig, PipelineErrorKind> {
        self.inner.system_config_by_number(number).await
    }
}

/// Where the driver begins: at `tip`, with the pipeline at its origin.
pub(crate) fn cursor(pipeline: &L2Pipeline, tip: TipCursor) -> Arc<RwLock<PipelineCursor>> {
    let origin = pipeline.origin().unwrap_or_default();
    let timeout = pipeline
        .rules
        .config
        .channel_timeout(tip.l2_safe_head.block_info.timestamp);
    let mut cursor = PipelineCursor::new(timeout, origin);
    cursor.advance(origin, tip);
    Arc::new(RwLock::new(cursor))
}

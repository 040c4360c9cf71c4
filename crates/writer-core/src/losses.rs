//! What the queue dropped since the last loss marker, and when the next one is due.
//!
//! An episode begins with a dropped line and ends when the queue has stayed below half of its
//! bounds for [`CALM`]; then the worker puts one line about it into the file. Nothing here is
//! touched while no line is dropped.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use crate::axes::QueuePolicy;
use crate::builder::WriterBuilder;
use crate::delivery::Delivery;
use crate::inner::Inner;
use crate::json::Format;
use crate::severity::Severity;
use crate::shared::Shared;
use crate::thread_mark::ThreadMark;

/// How long the queue must have stayed below half before an episode is over. Each marker comes at
/// least this long after its first line was dropped, hence after the marker before it.
pub(crate) const CALM: Duration = Duration::from_secs(1);

/// Lines by severity, the least severe first.
pub(crate) type BySeverity = [u64; Severity::ALL.len()];

/// Lines that the queue policy dropped, as one loss marker tells of them.
///
/// The sum of all markers of a writer is [`Metrics::dropped`](crate::Metrics::dropped) when the
/// writer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Losses {
    /// Lines by severity, the least severe first, as in [`Severity::ALL`].
    pub by_severity: [u64; 5],
    /// When the first of them was dropped.
    pub since: SystemTime,
    /// When the queue had room again after the last of them; never before `since`.
    pub until: SystemTime,
    /// The policy under which they were dropped.
    pub policy: QueuePolicy,
}

impl Losses {
    /// All of them, whatever their severity.
    pub fn lines(&self) -> u64 {
        self.by_severity.iter().sum()
    }

    /// Notes that this is the end so far. The clock may have been put back since the beginning.
    fn end_now(&mut self) {
        self.until = self.since.max(SystemTime::now());
    }
}

/// The losses that no marker has told of.
pub(crate) struct Episode {
    losses: Losses,
    /// Since when the queue has been below half.
    calm_since: Instant,
    /// Lines were dropped since the worker last took what the queue had.
    fresh: bool,
}

impl Inner {
    /// Counts dropped lines; returns whether they are the first of an episode.
    pub(crate) fn note_losses(
        &mut self,
        lines: &BySeverity,
        policy: QueuePolicy,
        now: impl Fn() -> Instant,
    ) -> bool {
        let first = self.episode.is_none();
        let episode = self.episode.get_or_insert_with(|| {
            let since = SystemTime::now();
            let losses = Losses { by_severity: [0; 5], since, until: since, policy };
            Episode { losses, calm_since: now(), fresh: true }
        });
        for (sum, lines) in episode.losses.by_severity.iter_mut().zip(lines) {
            *sum += lines;
        }
        episode.fresh = true;
        first
    }

    /// Notes how full the queue is at the moment when it is fullest: before the worker takes it.
    pub(crate) fn watch_losses(&mut self, now: impl Fn() -> Instant) {
        let full = self.no_room || self.queue.is_half_full();
        let Some(episode) = &mut self.episode else { return };
        if full {
            episode.calm_since = now();
        }
        if std::mem::take(&mut episode.fresh) {
            episode.losses.end_now();
        }
    }

    /// When the episode is over if the queue stays as it is; `None` where there is none, or while
    /// only the next take can end it.
    pub(crate) fn calm_at(&self) -> Option<Instant> {
        let episode = self.episode.as_ref()?;
        let calm = !self.no_room && !self.queue.is_half_full();
        calm.then(|| episode.calm_since + CALM)
    }

    /// Ends the episode.
    pub(crate) fn take_losses(&mut self) -> Option<Losses> {
        let Episode { mut losses, fresh, .. } = self.episode.take()?;
        if fresh {
            losses.end_now();
        }
        Some(losses)
    }
}

type Encode = Box<dyn Fn(&Losses, &mut Vec<u8>) + Send + Sync>;

/// How a marker is written: not at all, by the code given, or, until somebody says, not yet.
#[derive(Default)]
pub(crate) struct MarkerLine(OnceLock<Option<Encode>>);

impl MarkerLine {
    pub(crate) fn new(encode: Option<Encode>) -> Self {
        MarkerLine(OnceLock::from(encode))
    }

    /// Takes a format for the markers unless something else was said before.
    pub(crate) fn or_format(&self, format: &Format) {
        self.0.get_or_init(|| {
            let format = format.clone();
            Some(Box::new(move |losses, line| {
                format.encode_losses(losses, |_, encoded| line.extend_from_slice(encoded));
            }))
        });
    }

    pub(crate) fn encoder(&self) -> Option<&Encode> {
        self.0.get()?.as_ref()
    }
}

impl Shared {
    /// Has the next write begin with a line about these losses. The code of the user that encodes
    /// it may find the lock around the sink taken: by this thread, as the mark says.
    pub(crate) fn put_marker(&self, delivery: &mut Delivery, losses: &Losses) {
        let _mark = ThreadMark::enter(self);
        delivery.put_marker(self.callbacks.marker_line(losses));
    }

    /// The losses that a last marker tells of.
    pub(crate) fn last_losses(&self) -> Option<Losses> {
        self.callbacks.marker.encoder()?;
        self.lock().take_losses()
    }
}

impl WriterBuilder {
    /// Has the writer put a line into the file for each episode of dropped lines, encoded by
    /// `encode` into the empty buffer given; a newline is added if it lacks one. Default: none in
    /// this crate; the adapters put one in, in the format of their lines.
    ///
    /// An episode ends when the queue has stayed below half of its bounds for a second, or with the
    /// writer. The marker comes from the worker, beside the queue, so it cannot be dropped; it is
    /// counted in [`Metrics::markers`](crate::Metrics::markers) alone. With
    /// [`synchronous`](Self::synchronous) it follows the first line that is written again.
    ///
    /// `encode` runs in the worker's thread, without a lock. With `synchronous` it runs in that of
    /// the sender, at the end of the process perhaps in the one that ends it; there, and when the
    /// worker ends while the target fails, under the lock around the sink: then it must not wait
    /// for a thread that sends, flushes or shuts down. If it panics, that is counted, and its
    /// marker is left out.
    ///
    /// ```
    /// use writer_core::json::Format;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("app.jsonl");
    /// let format = Format::default();
    /// let (writer, guard) = writer_core::Writer::builder(&path)
    ///     .queue_policy(writer_core::QueuePolicy::DropNewest)
    ///     .max_queue_bytes(20)
    ///     .loss_marker(move |losses, line| {
    ///         format.encode_losses(losses, |_, encoded| line.extend_from_slice(encoded));
    ///     })
    ///     .build()?;
    /// writer.send("a line too long for this queue")?;
    /// drop(guard);
    /// assert!(std::fs::read_to_string(&path)?.contains(r#""dropped":1,"dropped_info":1,"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn loss_marker(
        mut self,
        encode: impl Fn(&Losses, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks.marker = MarkerLine::new(Some(Box::new(encode)));
        self
    }

    /// Puts no lines about dropped lines into the file.
    pub fn no_loss_marker(mut self) -> Self {
        self.callbacks.marker = MarkerLine::new(None);
        self
    }
}

#[cfg(all(test, not(loom)))]
#[path = "losses_tests.rs"]
mod tests;

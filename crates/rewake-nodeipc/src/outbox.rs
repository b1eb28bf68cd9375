//! What waits to be written to one run. Never grows without bound when the run does not read, and never refuses what the
//! protocol needs: a handle without its answer would silence the run for ever.

use std::collections::VecDeque;

/// How much may wait behind the message that is under way, in bytes. The socket itself holds about 200 KiB more.
pub const DEFAULT_OUTBOX_BYTES: usize = 4 << 20;

/// How much of answers may wait before the owner should stop reading, in bytes: two thousand of them. Node sends one
/// handle at a time and waits, so only a run that means harm comes here.
pub const ANSWER_RESERVE_BYTES: usize = 64 << 10;

/// What a message costs beside its bytes: its place in the queue and its allocation.
const COST_OF_A_MESSAGE: usize = 64;

/// The queue is full because the run does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("queue a message for a process that does not read: {waiting_bytes} bytes wait already")]
pub struct Full {
    /// What waits, with what it costs to keep it.
    pub waiting_bytes: usize,
}

/// A bounded queue of frames.
#[derive(Debug)]
pub struct Outbox {
    frames: VecDeque<Frame>,
    /// How much of the first frame is written.
    written: usize,
    limit: usize,
    /// Cost of the frames behind the first that are not answers.
    waiting: usize,
    /// Bytes of all answers.
    answers: usize,
}

#[derive(Debug)]
struct Frame {
    bytes: Vec<u8>,
    is_answer: bool,
    /// What must go with the first byte.
    tag: Option<u64>,
}

impl Frame {
    fn cost(&self) -> usize {
        if self.is_answer { 0 } else { self.bytes.len() + COST_OF_A_MESSAGE }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::with_limit(DEFAULT_OUTBOX_BYTES)
    }
}

impl Outbox {
    /// An empty queue that lets `max_waiting_bytes` wait behind the frame under way. Each frame counts 64 bytes more
    /// than it has.
    #[must_use]
    pub fn with_limit(max_waiting_bytes: usize) -> Self {
        Self { frames: VecDeque::new(), written: 0, limit: max_waiting_bytes, waiting: 0, answers: 0 }
    }

    /// Puts a frame at the end. An empty queue takes a frame of any size.
    ///
    /// # Errors
    /// When the queue is full; it is unchanged then.
    pub fn push(&mut self, bytes: Vec<u8>) -> Result<(), Full> {
        let frame = Frame { bytes, is_answer: false, tag: None };
        if !self.frames.is_empty() && self.waiting + frame.cost() > self.limit {
            return Err(Full { waiting_bytes: self.waiting });
        }
        self.append(frame);
        Ok(())
    }

    /// Puts the bytes of a [`crate::Happening::Answer`] at the end. Never refused; see [`Outbox::is_clogged`].
    pub fn push_answer(&mut self, bytes: Vec<u8>) {
        self.push_own(bytes, None);
    }

    /// Puts a message of Node's own at the end, such as a [`crate::cluster::Order::Send`]. Never refused, like an
    /// answer. `tag` is the owner's name for the descriptor that rides on it; see [`Outbox::front_tag`].
    pub fn push_own(&mut self, bytes: Vec<u8>, tag: Option<u64>) {
        self.answers += bytes.len();
        self.append(Frame { bytes, is_answer: true, tag });
    }

    /// The descriptor that must go with the next byte, in one `sendmsg` with nothing behind this frame: Node gives a
    /// descriptor to the message in which it arrived.
    #[must_use]
    pub fn front_tag(&self) -> Option<u64> {
        self.frames.front().filter(|_| self.written == 0)?.tag
    }

    /// Whether so many answers wait that the owner should not read from the run until some are written. Reading on
    /// would let a run that only asks and never reads fill our memory.
    #[must_use]
    pub fn is_clogged(&self) -> bool {
        self.answers > ANSWER_RESERVE_BYTES
    }

    /// What to write next: the rest of the frame under way, empty when there is nothing.
    #[must_use]
    pub fn front(&self) -> &[u8] {
        self.frames.front().map_or(&[], |frame| &frame.bytes[self.written..])
    }

    /// What to write next, and what after it, for one `writev`: up to the next frame with a descriptor, and nothing
    /// behind one.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let alone = self.front_tag().is_some();
        let rest = self.frames.iter().skip(1).take_while(move |frame| !alone && frame.tag.is_none());
        let front = Some(self.front()).filter(|front| !front.is_empty());
        front.into_iter().chain(rest.map(|frame| frame.bytes.as_slice()))
    }

    /// `count` bytes from the front on are written.
    pub fn advance(&mut self, count: usize) {
        let mut count = count;
        while let Some(frame) = self.frames.front() {
            let left = frame.bytes.len() - self.written;
            if count < left {
                self.written += count;
                return;
            }
            count -= left;
            self.drop_front();
        }
        debug_assert_eq!(count, 0, "more was written than there was");
    }

    /// Whether everything is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether a frame is written in part. Nothing else may go to the socket until the rest has.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.written > 0
    }

    fn append(&mut self, frame: Frame) {
        if frame.bytes.is_empty() {
            return;
        }
        if !self.frames.is_empty() {
            self.waiting += frame.cost();
        }
        self.frames.push_back(frame);
    }

    fn drop_front(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.written = 0;
            if frame.is_answer {
                self.answers -= frame.bytes.len();
            }
        }
        // The next one is under way now, no longer waiting.
        if let Some(next) = self.frames.front() {
            self.waiting -= next.cost();
        }
        if self.frames.is_empty() {
            self.frames.shrink_to(64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !outbox.is_empty() {
            let count = outbox.front().len().min(step);
            all.extend_from_slice(&outbox.front()[..count]);
            outbox.advance(count);
        }
        all
    }

    #[test]
    fn frames_go_out_in_order_in_pieces_of_any_size() {
        for step in 1..10 {
            let mut outbox = Outbox::default();
            outbox.push(b"one\n".to_vec()).unwrap();
            outbox.push_answer(b"ack\n".to_vec());
            outbox.push(b"two\n".to_vec()).unwrap();
            assert_eq!(drain(&mut outbox, step), b"one\nack\ntwo\n");
            assert_eq!(outbox.waiting, 0);
            assert_eq!(outbox.answers, 0);
            assert!(outbox.front().is_empty());
        }
    }

    #[test]
    fn one_write_may_cover_several_frames() {
        let mut outbox = Outbox::default();
        for text in ["one", "two", "three"] {
            outbox.push(text.into()).unwrap();
        }
        outbox.advance(1);
        assert!(outbox.is_mid_frame());
        assert_eq!(outbox.chunks().collect::<Vec<_>>(), [&b"ne"[..], b"two", b"three"]);
        outbox.advance(6);
        assert_eq!(outbox.chunks().collect::<Vec<_>>(), [&b"hree"[..]]);
        outbox.advance(4);
        assert!(outbox.is_empty() && !outbox.is_mid_frame());
        assert_eq!(outbox.chunks().count(), 0);
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_it_has_room() {
        let mut outbox = Outbox::with_limit(1000);
        outbox.push(vec![b'x'; 5000]).unwrap();
        outbox.push(vec![b'y'; 1000 - COST_OF_A_MESSAGE]).unwrap();
        assert_eq!(outbox.push(b"z".to_vec()), Err(Full { waiting_bytes: 1000 }));
        outbox.advance(4999);
        assert!(outbox.push(b"z".to_vec()).is_err());
        outbox.advance(1);
        outbox.push(b"z".to_vec()).unwrap();
        assert_eq!(drain(&mut outbox, 7).len(), 1000 - COST_OF_A_MESSAGE + 1);
    }

    #[test]
    fn a_large_frame_is_taken_only_by_an_empty_queue() {
        let mut outbox = Outbox::with_limit(1000);
        outbox.push(b"small".to_vec()).unwrap();
        assert!(outbox.push(vec![0; 5000]).is_err());
        outbox.advance(5);
        outbox.push(vec![0; 5000]).unwrap();
    }

    #[test]
    fn many_small_frames_are_counted_with_what_they_cost() {
        let mut outbox = Outbox::default();
        let taken = (0..1_000_000).take_while(|_| outbox.push(b"1\n".to_vec()).is_ok()).count();
        assert_eq!(taken, 1 + DEFAULT_OUTBOX_BYTES / (COST_OF_A_MESSAGE + 2));
    }

    #[test]
    fn answers_are_never_refused_and_say_when_reading_should_stop() {
        let mut outbox = Outbox::with_limit(0);
        outbox.push(b"message".to_vec()).unwrap();
        while !outbox.is_clogged() {
            outbox.push_answer(vec![b'a'; 100]);
        }
        assert!(outbox.answers <= ANSWER_RESERVE_BYTES + 100);
        assert!(outbox.push(b"message".to_vec()).is_err());
        drain(&mut outbox, 1 << 20);
        assert!(!outbox.is_clogged());
        outbox.push(b"message".to_vec()).unwrap();
    }

    #[test]
    fn a_descriptor_goes_with_the_first_byte_and_nothing_behind_its_frame() {
        let mut outbox = Outbox::default();
        outbox.push(b"a".to_vec()).unwrap();
        outbox.push_own(b"handle".to_vec(), Some(7));
        outbox.push(b"b".to_vec()).unwrap();
        assert_eq!((outbox.front_tag(), outbox.chunks().count()), (None, 1));
        outbox.advance(1);
        assert_eq!((outbox.front_tag(), outbox.chunks().collect::<Vec<_>>()), (Some(7), vec![&b"handle"[..]]));
        outbox.advance(2);
        assert_eq!((outbox.front_tag(), outbox.chunks().collect::<Vec<_>>()), (None, vec![&b"ndle"[..], b"b"]));
    }
}

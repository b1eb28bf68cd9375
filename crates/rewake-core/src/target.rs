//! What a command was aimed at: PM2's `all`, `/regex/`, name, namespace, id. Never touches what it finds.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use regex_lite::Regex;

use crate::{Core, Slot, SlotId};

/// A parsed target.
#[derive(Debug, Clone)]
pub enum Target {
    All,
    /// On the name.
    Pattern(Regex),
    /// A name, else a namespace, else (when it is a number) an id.
    Word(String),
}

/// A target that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadTarget {
    Empty,
    /// The text between the slashes is not a regular expression; why.
    Pattern(String),
}

impl Target {
    /// Reads `all`, `/regex/`, or a word.
    ///
    /// # Errors
    /// When it is empty or a broken regular expression.
    pub fn parse(text: &str) -> Result<Self, BadTarget> {
        if text.is_empty() {
            return Err(BadTarget::Empty);
        }
        if text == "all" {
            return Ok(Self::All);
        }
        match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            Some(pattern) if !pattern.is_empty() => {
                Regex::new(pattern).map(Self::Pattern).map_err(|why| BadTarget::Pattern(why.to_string()))
            }
            Some(_) | None => Ok(Self::Word(text.into())),
        }
    }
}

impl Core {
    /// The slots that a target means, by id. Slots that are being deleted are no longer found.
    #[must_use]
    pub fn find(&self, target: &Target) -> Vec<SlotId> {
        match target {
            Target::All => self.matching(|_| true),
            Target::Pattern(pattern) => self.matching(|slot| pattern.is_match(&slot.name)),
            Target::Word(word) => self.find_word(word),
        }
    }

    fn find_word(&self, word: &str) -> Vec<SlotId> {
        let named = self.matching(|slot| slot.name == word);
        if !named.is_empty() {
            return named;
        }
        let spaced = self.matching(|slot| slot.namespace == word);
        if !spaced.is_empty() {
            return spaced;
        }
        // Digits alone, as PM2 reads them: `+3` and ` 3` are names.
        if !word.bytes().all(|byte| byte.is_ascii_digit()) {
            return Vec::new();
        }
        word.parse().map_or_else(|_| Vec::new(), |id| self.matching(|slot| slot.id == SlotId(id)))
    }

    fn matching(&self, keep: impl Fn(&Slot) -> bool) -> Vec<SlotId> {
        self.slots().filter(|slot| slot.wanted != crate::Wanted::Gone && keep(slot)).map(|slot| slot.id).collect()
    }
}

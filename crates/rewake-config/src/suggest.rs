//! The nearest known word to a misspelled one. Never guesses across an unlike word.

/// The candidate that is closest to `word`, if it is close enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in four letters: `instnaces` is meant for `instances`, `foo` for nothing. The same for very long words
    // would only cost time.
    let length = word.chars().count();
    if length > 64 {
        return None;
    }
    let allowed = (length / 4).max(1);
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= allowed && distance < candidate.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

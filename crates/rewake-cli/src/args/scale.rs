//! `scale`: an app and how many instances it is to have.

use clap::Args;
use rewake_wire::ScaleTo;

/// Arguments of `scale`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Scale {
    /// Id or name of the app
    #[arg(value_name = "APP")]
    pub(crate) target: String,
    /// How many instances; `+2` for two more, `-1` for one fewer
    #[arg(value_name = "NUMBER", value_parser = number, allow_hyphen_values = true)]
    pub(crate) to: ScaleTo,
}

/// `4`, `+2` or `-1`.
fn number(text: &str) -> Result<ScaleTo, String> {
    let wrong = |_| format!("`{text}` is no number of instances");
    if text.starts_with(['+', '-']) {
        return text.parse().map(ScaleTo::By).map_err(wrong);
    }
    text.parse().map(ScaleTo::Exactly).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_absolute_unless_it_has_a_sign() {
        assert_eq!(number("4"), Ok(ScaleTo::Exactly(4)));
        assert_eq!(number("+2"), Ok(ScaleTo::By(2)));
        assert_eq!(number("-1"), Ok(ScaleTo::By(-1)));
        for text in ["", "x", "+", "--1", "1.5", "99999999999"] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}

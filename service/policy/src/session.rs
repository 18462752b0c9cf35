//! Writing session policies.

use crate::Policy;
use crate::glob::Glob;
use crate::statement::{Effect, Statement};
use crate::variables::{Reading, Template};

/// The shortest document that allows exactly these actions on every resource: sorted, each once, and none that a
/// pattern among them already covers. Without any action it allows nothing.
///
/// AWS limits a session policy to 2,048 characters and a packed size besides, so length is what counts.
pub fn allow_actions<'a>(actions: impl IntoIterator<Item = &'a str>) -> Policy {
    let mut sorted: Vec<Glob> = actions.into_iter().map(Glob::new).collect();
    sorted.sort_by_cached_key(|glob| (glob.as_str().to_lowercase(), glob.as_str().to_owned()));
    sorted.dedup_by(|a, b| a.as_str().eq_ignore_ascii_case(b.as_str()));
    // A `?` as text is no proof for all that it stands for, a `*` is: only a `*` can fit it.
    let covers =
        |one: &Glob, other: &Glob| !one.as_str().contains('?') && one.matches(other.as_str());
    let needed: Vec<Glob> = sorted
        .iter()
        .enumerate()
        .filter(|(index, glob)| {
            // Of two that cover each other, such as `s3:*` and `s3:**`, the first stays.
            !sorted.iter().enumerate().any(|(other_index, other)| {
                other_index != *index
                    && covers(other, glob)
                    && (other_index < *index || !covers(glob, other))
            })
        })
        .map(|(_, glob)| glob.clone())
        .collect();
    let (effect, actions) = if needed.is_empty() {
        (Effect::Deny, vec![Glob::new("*")])
    } else {
        (Effect::Allow, needed)
    };
    let reading = Reading {
        wildcards: true,
        variables: true,
        ignore_case: false,
    };
    let everything = Template::compile("*", reading).expect("`*` holds no variable");
    Policy::of(vec![Statement::plain(effect, actions, vec![everything])])
}

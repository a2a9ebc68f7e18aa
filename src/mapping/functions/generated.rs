//! Values that come from no attribute: random ones, which are drawn once for an object and row, and the tenant's.

use std::borrow::Cow;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::stop::Stop;
use super::super::stop::text_of;
use super::Answer;
use super::text::answer;

const DIGITS: &str = "0123456789";
const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const SMALL: &str = "abcdefghijklmnopqrstuvwxyz";
/// The special characters that Windows counts for a complex password ("Password must meet complexity requirements").
const SPECIAL: &str = "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/";

/// The longest text that Entra makes, in characters.
const LONGEST: i64 = 256;

/// Returns a version 4 GUID: the same one for the object and row in every cycle.
pub(super) fn guid<'a>(call: &Call<'a>) -> Answer<'a> {
    let mut stream = call.stream();
    let mut bytes = [0; 16];
    bytes.fill_with(|| stream.byte());
    answer(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// Returns a text of that length with at least so many digits, special characters, capitals and small letters, the same
/// one for the object and row in every cycle. The rest is drawn from the kinds of which at least one is asked for (all
/// letters and digits, where none is), so that a 0 keeps special characters out.
pub(super) fn random_string<'a>(call: &Call<'a>) -> Answer<'a> {
    let length = call.integer(0)?;
    let avoided = call.value(5)?;
    let avoided = text_of(&avoided)?;
    let kind =
        |characters: &str| -> Vec<char> { characters.chars().filter(|c| !avoided.contains(*c)).collect() };
    let mut least: Vec<(i64, Vec<char>)> = Vec::new();
    for (index, characters) in [DIGITS, SPECIAL, CAPITALS, SMALL].iter().enumerate() {
        least.push((call.integer(index + 1)?, kind(characters)));
    }
    let sum = least.iter().try_fold(0_i64, |sum, (count, _)| {
        sum.checked_add(*count).filter(|_| *count >= 0)
    });
    let failed = |why: &str| Err(Stop::Failed(format!("RandomString {why}")));
    match sum {
        None => return failed("takes no negative and no huge counts"),
        Some(sum) if !(1..=LONGEST).contains(&length) || sum > length => {
            return failed("takes a length from 1 to 256, and minimums that fit into it");
        }
        Some(_) => {}
    }
    if least.iter().any(|(count, kind)| *count > 0 && kind.is_empty()) {
        return failed("is to avoid all characters of a kind that it needs");
    }
    let asked = least.iter().filter(|(count, _)| *count > 0);
    let mut rest: Vec<char> = asked.flat_map(|(_, kind)| kind).copied().collect();
    if rest.is_empty() {
        rest = [DIGITS, CAPITALS, SMALL]
            .iter()
            .flat_map(|characters| kind(characters))
            .collect();
    }
    if rest.is_empty() {
        return failed("is to avoid all letters and digits");
    }
    let mut stream = call.stream();
    let mut drawn = Vec::new();
    for (count, kind) in &least {
        for _ in 0..*count {
            drawn.push(kind[stream.below(kind.len())]);
        }
    }
    while i64::try_from(drawn.len()).is_ok_and(|drawn| drawn < length) {
        drawn.push(rest[stream.below(rest.len())]);
    }
    for last in (1..drawn.len()).rev() {
        drawn.swap(last, stream.below(last + 1));
    }
    answer(drawn.into_iter().collect())
}

/// Returns the tenant's default domain, where it is known ([`Context`](super::super::Context)).
pub(super) fn default_domain<'a>(call: &Call<'a>) -> Answer<'a> {
    match &call.context().default_domain {
        Some(domain) => Ok(Cow::Owned(Value::text(domain.as_ref()))),
        None => Err(Stop::Failed(
            "the tenant's default domain is not known: melonsync does not ask for the permission to read it; write \
             the domain as a text, such as \"corp.example\""
                .to_owned(),
        )),
    }
}

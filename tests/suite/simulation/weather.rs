//! What goes wrong while a cycle runs. All figures are percentages of requests, but for the latency.

use super::dice::Dice;

#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// The longest that one way of a request takes, in milliseconds.
    pub latency_ms: u64,
    // The source
    pub source_down: u64,
    pub source_malformed: u64,
    pub source_unauthorized: u64,
    /// A page link has expired; the stream's own link is good.
    pub page_expired: u64,
    /// All links of a stream have expired.
    pub stream_reset: u64,
    /// A full round leaves an object out; the next delta brings it.
    pub left_out: u64,
    pub look_up_unknown: u64,
    /// A look-up is answered by a replica that is up to 15 minutes behind.
    pub replica_behind: u64,
    // The target
    /// Carried out, and no answer.
    pub answer_lost: u64,
    /// Carried out, and an answer that nobody understands.
    pub answer_malformed: u64,
    /// No answer; carried out later, within the request timeout. Creates only.
    pub late: u64,
    /// Not carried out, and no answer.
    pub lost: u64,
    /// Not carried out, and answered 500.
    pub broken: u64,
    /// Every write of some records is answered 500, and not carried out: the figure only says that it is so.
    pub cursed: u64,
    /// 429 until the budget was spent.
    pub throttled: u64,
    pub refused: u64,
    pub target_unauthorized: u64,
    /// Answered, by a proxy, with another resource than was asked about.
    pub crossed: u64,
    /// A listing that ends early, repeats a page or leaves entries out.
    pub torn: u64,
}

impl Weather {
    pub fn calm() -> Self {
        Self {
            latency_ms: 20,
            ..Self::default()
        }
    }

    /// Calm half of the time; else a few things at a time go wrong, rarely or often.
    pub fn roll(dice: &mut Dice) -> Self {
        let mut weather = Self::calm();
        if dice.chance(45) {
            return weather;
        }
        if dice.chance(10) {
            weather.latency_ms = 9_000;
        }
        let of: [fn(&mut Self) -> &mut u64; 20] = [
            |w| &mut w.source_down,
            |w| &mut w.source_malformed,
            |w| &mut w.page_expired,
            |w| &mut w.stream_reset,
            |w| &mut w.left_out,
            |w| &mut w.look_up_unknown,
            |w| &mut w.replica_behind,
            |w| &mut w.replica_behind,
            |w| &mut w.answer_lost,
            |w| &mut w.answer_lost,
            |w| &mut w.answer_malformed,
            |w| &mut w.late,
            |w| &mut w.lost,
            |w| &mut w.broken,
            |w| &mut w.cursed,
            |w| &mut w.throttled,
            |w| &mut w.refused,
            |w| &mut w.crossed,
            |w| &mut w.torn,
            |w| &mut w.torn,
        ];
        for _ in 0..dice.between(1, 4) {
            let percent = *dice.pick(&[3, 10, 25, 50, 100]).unwrap_or(&10);
            let which = dice.below(of.len());
            *of[which](&mut weather) = percent;
        }
        if dice.chance(4) {
            weather.source_unauthorized = 20;
        }
        if dice.chance(4) {
            weather.target_unauthorized = 20;
        }
        weather
    }
}

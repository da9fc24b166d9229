//! Learning rate schedules: a warm-up, then constant or falling to 0. No state.

/// The course of the learning rate after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Schedule {
    /// The learning rate stays at its peak.
    Constant = 0,
    /// The learning rate falls linearly to 0 at the last step.
    Linear = 1,
    /// The learning rate falls along half a period of a cosine to 0 at the last step.
    Cosine = 2,
}

impl Schedule {
    /// Computes the learning rate of a step; steps count from 1.
    ///
    /// Over the first `warmup` steps the learning rate rises linearly, from `peak/warmup` to `peak`. Then it is `peak`
    /// times 1 (constant), `1 − x` (linear) or `(1 + cos πx)/2` (cosine), where x rises from 0 at step `warmup` to 1 at
    /// step `total`. After step `total` it is 0, for [`Schedule::Constant`] too.
    ///
    /// Returns NaN for step 0, a `warmup` above `total`, and a peak that is negative or not finite.
    ///
    /// ```
    /// use lmada::Schedule;
    ///
    /// let rates: Vec<f64> = (1..=7).map(|step| Schedule::Linear.lr(1.0, step, 2, 6)).collect();
    /// assert_eq!(rates, [0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]);
    /// ```
    pub fn lr(self, peak: f64, step: u64, warmup: u64, total: u64) -> f64 {
        if step == 0 || warmup > total || !(peak.is_finite() && peak >= 0.0) {
            return f64::NAN;
        }
        if step > total {
            return 0.0;
        }
        if step < warmup {
            return peak * (step as f64 / warmup as f64);
        }
        // A run that is all warm-up reaches the peak at its last step.
        let left = if total == warmup { 1.0 } else { (total - step) as f64 / (total - warmup) as f64 };
        match self {
            Self::Constant => peak,
            Self::Linear => peak * left,
            // (1 + cos π(1 − left))/2, without cancellation near the end of the run.
            Self::Cosine => peak * (core::f64::consts::FRAC_PI_2 * left).sin().powi(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_is_a_cosine() {
        for (step, expected) in [(10, 3.0), (60, 1.5), (110, 0.0)] {
            assert!((Schedule::Cosine.lr(3.0, step, 10, 110) - expected).abs() < 1e-15);
        }
        for step in 10..=110 {
            let x = (step - 10) as f64 / 100.0;
            let expected = 3.0 * (1.0 + (core::f64::consts::PI * x).cos()) / 2.0;
            assert!((Schedule::Cosine.lr(3.0, step, 10, 110) - expected).abs() < 1e-14, "{step}");
        }
    }

    #[test]
    fn ends_are_exact() {
        for kind in [Schedule::Constant, Schedule::Linear, Schedule::Cosine] {
            assert_eq!(kind.lr(0.3, 1, 4, 10), 0.3 / 4.0);
            assert_eq!(kind.lr(0.3, 4, 4, 10), 0.3);
            assert_eq!(kind.lr(0.3, 11, 4, 10), 0.0);
            assert_eq!(kind.lr(0.3, 10, 10, 10), 0.3);
            assert_eq!(kind.lr(0.0, 5, 0, 10), 0.0);
            assert_eq!(kind.lr(f64::MAX, 1, 1, 1), f64::MAX);
            assert!(kind.lr(0.3, u64::MAX, 0, u64::MAX) >= 0.0);
            for (peak, step, warmup, total) in
                [(0.3, 0, 0, 10), (0.3, 1, 11, 10), (-0.3, 1, 0, 10), (f64::NAN, 1, 0, 10), (f64::INFINITY, 1, 0, 10)]
            {
                assert!(kind.lr(peak, step, warmup, total).is_nan());
            }
        }
        assert_eq!(Schedule::Constant.lr(0.3, 10, 4, 10), 0.3);
        assert_eq!(Schedule::Linear.lr(0.3, 10, 4, 10), 0.0);
        assert_eq!(Schedule::Cosine.lr(0.3, 10, 4, 10), 0.0);
    }
}

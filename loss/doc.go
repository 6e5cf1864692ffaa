// Package loss holds the losses of learning from preferences: functions of few numbers per text, such as its reward or its
// log-probability, in float64, each with its derivative. What a model computes comes from a tape, and the derivative goes
// back to it by grad.Tape.Seed; the package itself knows of numbers only. Start at [Ranking] for reward models and at
// [Preference] for direct preference optimisation.
package loss

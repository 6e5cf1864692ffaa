// Package eval scores translations: BLEU, chrF, chrF++ and TER of a corpus
// against one or several references, with confidence intervals and with tests
// of whether two systems really differ. It also counts the right answers to
// questions with several choices ([ChoiceScores]).
//
// It works on text alone and knows nothing of models, tokenizers of models, or
// files. Start from [BLEU]: its zero value is what sacrebleu computes by
// default.
//
//	score, err := eval.BLEU{}.Corpus(hypotheses, [][]string{references})
//	fmt.Println(score) // BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 41.17 …
//
// References are streams: refs[k][i] is the k-th reference of hypothesis i.
// Where sentences have different numbers of them, [Streams] makes the streams.
//
// Every number equals that of sacrebleu (Post 2018, "A Call for Clarity in
// Reporting BLEU Scores"), option by option, and so does the signature that
// comes with it: two scores may be compared only if their signatures are equal.
// The field version of a signature is therefore the release of sacrebleu whose
// numbers these are, [Version], and not that of this module.
//
// Each metric is a function of statistics that add up over sentences (counts of
// n-grams, edits, lengths). The tests of significance ([PairedBootstrap],
// [PairedRandomization]) draw sentences, add up their statistics and score the
// sum, so they serve any [Metric].
package eval

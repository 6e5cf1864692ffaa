// Package corpus reads sentence pairs, parts them into training and held-out data, and puts them into batches by token
// budget.
//
// It knows texts and lengths, nothing of tokenizers or models: what is a token, the caller says by handing lengths to
// [NewBatches]. Start from [ReadParallel], [ReadTSV], [ReadJSONL] or [ReadFile], which give [Pairs] and a [Report].
//
// How text is read, everywhere:
//   - UTF-8; anything else is an error with file and line. A byte order mark is dropped; UTF-16 is named as such.
//   - gzip is recognised by its first bytes, whatever the file is called.
//   - Lines end at LF or CR LF, nowhere else. The last one needs no end.
//   - White space around a sentence is dropped.
//   - Lines may have up to 16 MiB ([MaxLine]); a longer one is an error, because it is not a line of text. A sentence of,
//     say, 100,000 characters is thus read, and left out by [NewBatches], which counts and names what exceeds its limit.
//   - A pair of which one side or both are empty is left out and counted. Two files of different lengths, and files
//     without a single pair, are errors.
package corpus

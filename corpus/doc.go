// Package corpus reads what models are trained on, parts it into training and held-out data, and puts it into batches.
//
// It knows texts, lengths and ids, nothing of tokenizers or models: what is a token, the caller says by handing lengths to
// [NewBatches], or a function to [Texts.Tokenize].
//
// Sentence pairs are held in memory. Start from [ReadParallel], [ReadTSV], [ReadJSONL] or [ReadFile], which give [Pairs] and
// a [Report]; [Batches] shuffles them.
//
// Documents may be more than memory holds. Start from [Texts], which reads them one after the other from plain text, JSONL,
// CSV and Parquet; [Texts.Tokenize] writes their tokens to a [Store] on disk, once; [Rows] cuts its streams, and [Order] shuffles.
//
// [Questions] reads questions with several choices.
//
// How text is read, everywhere:
//   - UTF-8; anything else is an error with file and line. A byte order mark is dropped; UTF-16 is named as such.
//   - gzip and Zstandard are recognised by their first bytes, whatever the file is called.
//   - Lines end at LF or CR LF, nowhere else. The last one needs no end.
//   - White space around a sentence is dropped; documents are left as they are, but those without anything else are left out.
//   - Lines may have up to 16 MiB ([MaxLine]); a longer one is an error, because it is not a line of text. A sentence of,
//     say, 100,000 characters is thus read, and left out by [NewBatches], which counts and names what exceeds its limit.
//   - A pair of which one side or both are empty is left out and counted. Two files of different lengths, and files
//     without a single pair, are errors.
package corpus

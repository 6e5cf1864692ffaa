// Package hub reads and writes model directories: safetensors, config.json, generation_config.json and
// tokenizer.json, in the layout of the Hugging Face hub, so that what Parley trains opens in transformers and
// converts to CTranslate2, and what others publish opens in Parley; and GGUF files, as llama.cpp has them.
//
// It knows files and names, nothing of arithmetic: it asks a model for its parameters and fills them. Start from
// [LoadEncDec] and [SaveEncDec], or [LoadDecoder] and [SaveDecoder]; [ConvertGGUF] writes a GGUF
// file, [ConvertHF] makes a directory of one; [Open] reads a single safetensors file, [OpenWeights]
// those of a directory.
//
// Two promises hold for everything here. What is read may be hostile: a file that lies about itself is an error that
// names the file and the tensor or key, and never costs more memory than the file has bytes (twice that where 16-bit
// numbers are widened). What is written is written aside, synced and renamed: after a crash at any instant, or on a
// full disk, the earlier version or the new one is there, whole ([WriteFileAtomic], [WriteDirAtomic]).
package hub

package kernel

// blocking is how large a block of A is that stays in the second-level cache while panels of B pass along it; and where each
// item packs its own panels, how much stays there beside the few rows of A: packedPanels of all k up to packedWhole, else of packedK.
type blocking struct{ k, rows, packedPanels, packedK, packedWhole int }

// blocks is the one for this processor.
var blocks = blockingFor(secondLevelCache())

// blockingFor chooses the blocking for a second-level cache of so many bytes, 0 if that is not known. Deep blocks spare C its
// way to the caches and back, once for each block of k, but then a panel's block does not stay in the first-level cache: the
// second one has to hold it beside the block of A. Measured on processors with 1 and 2 MB.
func blockingFor(cache int) blocking {
	if cache >= 2<<20 {
		return blocking{k: 1024, rows: 144, packedPanels: 4, packedK: 256, packedWhole: 768}
	}
	return blocking{k: 256, rows: 288, packedPanels: 16, packedK: 256, packedWhole: 256}
}

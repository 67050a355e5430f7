package drivertest

// Checks are all checks of the suite.
func Checks() []Check {
	return []Check{
		{"kill: moments in order and true", killIsTrue},
		{"kill: removed while the service is away", removeBeforeReady},
		{"kill: twice, one after the other", killTwice},
		{"failure: down until removed", failureLasts},
		{"watch: what no fault did, and nothing else", watchIsTrue},
		{"partition: holds a request and releases it", partitionHolds},
		{"partition: a killed source's request never arrives", deadRequestIsLost},
		{"partition: a replacement is free of it", replacementIsFree},
		{"partition: removed after its source died", removeAfterDeath},
		{"partition: ends by itself when its duration is over", durationEnds},
		{"delay: delays, and no longer than it is there", delayDelays},
		{"object: created before Apply returns, removed before Remove returns", createdAndRemoved},
		{"object: removed twice, and without having been there", removeIsIdempotent},
		{"object: one that selects nothing is refused", nothingIsRefused},
		{"object: a cancelled Apply leaves nothing", cancelLeavesNothing},
		{"object: listed while it is there", leftoversAreListed},
		{"two faults at once", twoFaults},
	}
}

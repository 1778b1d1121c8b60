package anchor

import "github.com/suyuan-io/suyuan/hub"

// savings is how many checkpoints' worth of transactions a budget saves up in good times.
const savings = 16

// budget holds the number of ledger transactions to a target: every leaf earns its part of one, every checkpoint spends one a
// ledger. Large batches earn more than they spend, so that small ones may follow at once; without savings a small batch
// waits until it has earned its own.
type budget struct {
	// target is how many transactions a million leaves earn; 0 allows everything.
	target  float64
	ledgers float64
	saved   float64
}

func (b *budget) earned(leaves uint64) float64 { return float64(leaves) * b.target / 1e6 }

// allows reports whether a checkpoint over so many new leaves keeps to the target.
func (b *budget) allows(leaves uint64) bool {
	return b.target == 0 || b.saved+b.earned(leaves) >= b.ledgers
}

// spend notes a checkpoint. What was overdrawn, because nobody waits for ever, is not paid back.
func (b *budget) spend(leaves uint64) {
	b.saved = min(max(0, b.saved+b.earned(leaves)-b.ledgers), savings*b.ledgers)
}

// newBudget returns the budget of o, or a fault if batches as large as allowed could not keep to it.
func (o *Options) newBudget() (budget, error) {
	b := budget{target: o.TargetCost, ledgers: float64(len(o.Ledgers))}
	if !b.allows(o.MaxLeaves) {
		return b, hub.Faultf(hub.Invalid, "anchor.cost", "%v transactions per million events cannot be kept with %d ledgers and batches of at most %d",
			o.TargetCost, len(o.Ledgers), o.MaxLeaves).WithHint("raise anchor.maxLeaves or anchor.targetCost")
	}
	return b, nil
}

package boltstore

// DontSync makes commits quick and unsafe, to fill large stores for benchmarks.
func (s *Store) DontSync() { s.db.NoSync = true }

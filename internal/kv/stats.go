package kv

// Stats says what a store holds in memory.
type Stats struct {
	Tables     []TableStats // in the order of names
	Sealed     int          // blocks that are sealed and not published
	Pinned     int          // versions that are pinned
	Images     int          // before-images kept for them
	ImageBytes int          // memory of those of point tables
}

// TableStats says what the published version of one table holds.
type TableStats struct {
	Table
	Entries int
	Bytes   int // of a point table, everything; of an ordered table, keys and values
}

// Stats looks at the store as it is now.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	stats := Stats{Sealed: len(s.tail)}
	for _, t := range s.tables[1:] {
		if t.point != nil {
			stats.Tables = append(stats.Tables, TableStats{t.Table, t.point.count, t.point.size()})
		} else {
			stats.Tables = append(stats.Tables, TableStats{t.Table, t.ordered.Len(), t.orderedBytes})
		}
	}
	for v := s.newest; v != nil; v = v.older {
		stats.Pinned++
		for _, u := range v.undo {
			if u.point != nil {
				stats.Images += u.point.count
				stats.ImageBytes += u.point.size()
			}
			if u.ordered != nil {
				stats.Images += u.ordered.Len()
			}
		}
	}
	return stats
}

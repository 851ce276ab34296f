//go:build !unix

package boltstore

import bolt "go.etcd.io/bbolt"

func releaseMap(*bolt.DB) {}

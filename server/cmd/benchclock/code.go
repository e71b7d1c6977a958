package main

import "time"

// The picture's code is a grid of codeColumns by codeRows cells, each
// codeCell pixels square, black for 0 and white for 1, read like text and most
// significant bit first:
//
//	32 bits  Unix milliseconds, modulo 2^32
//	16 bits  number of the picture, modulo 2^16
//	16 bits  CRC-16/CCITT-FALSE of the 48 bits before
//
// Cells are whole macroblocks, so that a coarse quantizer leaves their middles
// alone. The page that reads them has the same figures.
const (
	codeColumns = 16
	codeRows    = 4
	codeCell    = 32
	codeLeft    = 64
	codeTop     = 224
)

// codeOf returns the 64 bits for a picture.
func codeOf(at time.Time, number int64) uint64 {
	value := uint64(uint32(at.UnixMilli()))<<16 | uint64(uint16(number))
	return value<<16 | uint64(crc16(value))
}

// readCode returns what codeOf put in, or false for bits it did not make.
func readCode(code uint64) (milliseconds uint32, number uint16, ok bool) {
	value := code >> 16
	return uint32(value >> 16), uint16(value), uint16(code) == crc16(value)
}

// crc16 is CRC-16/CCITT-FALSE over the low 48 bits of v.
func crc16(v uint64) uint16 {
	crc := uint16(0xFFFF)
	for bit := 47; bit >= 0; bit-- {
		top := crc>>15 ^ uint16(v>>bit)&1
		crc <<= 1
		if top != 0 {
			crc ^= 0x1021
		}
	}
	return crc
}

package webhook_test

import (
	"crypto/md5"
	"encoding/hex"
)

// md5Hex is the digest that the senders with salted MD5 make.
func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

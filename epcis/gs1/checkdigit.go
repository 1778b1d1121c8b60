package gs1

import (
	"slices"

	"github.com/suyuan-io/suyuan/hub"
)

// CheckDigit returns the check digit (an ASCII digit) that follows digits: modulo 10, weights 3 and 1 from the right (GS1
// General Specifications, section 7.9.1). It fails with gs1.not-digits where digits is empty or holds anything else.
func CheckDigit(digits string) (byte, error) {
	if digits == "" || !allIn(digits, digit) {
		return 0, fault(hub.Invalid, "gs1.not-digits", args{digits},
			"a check digit needs digits, got %q", "校验位须由数字计算，得到 %q")
	}
	return checkDigit(digits), nil
}

// checkDigit is CheckDigit for parts that are known to be digits, taken together.
func checkDigit(parts ...string) byte {
	sum, weight := 0, 3
	for _, part := range slices.Backward(parts) {
		for j := len(part) - 1; j >= 0; j-- {
			sum += int(part[j]-'0') * weight
			weight = 4 - weight
		}
	}
	return byte('0' + (10-sum%10)%10)
}

// checked reports whether the last digit of s is its check digit.
func checked(s string) bool {
	return len(s) > 1 && checkDigit(s[:len(s)-1]) == s[len(s)-1]
}

// CheckPair returns the two check characters that follow the data of a GMN or another alphanumeric key: modulo 1021 over
// prime weights from the right (GS1 General Specifications, section 7.9). It fails with gs1.charset for characters
// outside character set 82 and gs1.length for more than 97 of them.
func CheckPair(data string) (string, error) {
	if len(data) > len(primes) {
		return "", fault(hub.Invalid, "gs1.length", args{len(primes), len(data)},
			"check characters cover at most %d characters, got %d", "校验字符最多覆盖 %d 个字符，得到 %d 个")
	}
	sum := 0
	for i := range len(data) {
		w := weight82(data[i])
		if w < 0 {
			return "", fault(hub.Invalid, "gs1.charset", args{data[i : i+1], i + 1},
				"%q at character %d is not in GS1 character set 82", "%q（第 %d 个字符）不在 GS1 字符集 82 中")
		}
		sum += w * primes[len(data)-1-i]
	}
	const cset32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	sum %= 1021
	return string([]byte{cset32[sum>>5], cset32[sum&31]}), nil
}

// weight82 is the place of c in character set 82, or -1.
func weight82(c byte) int {
	if !in(c, cset82) {
		return -1
	}
	n := 0
	for d := byte('!'); d < c; d++ {
		if in(d, cset82) {
			n++
		}
	}
	return n
}

//nolint:gochecknoglobals // read-only table: the first 97 primes
var primes = firstPrimes()

func firstPrimes() (p [97]int) {
	n := 0
	for c := 2; n < len(p); c++ {
		prime := true
		for _, q := range p[:n] {
			if c%q == 0 {
				prime = false
				break
			}
		}
		if prime {
			p[n], n = c, n+1
		}
	}
	return p
}

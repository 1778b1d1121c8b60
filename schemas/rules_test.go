package schemas_test

import "github.com/suyuan-io/suyuan/schemas"

func everything(digits func(string) error) schemas.ValidateOptions {
	return schemas.ValidateOptions{Rules: true, CheckDigits: digits}
}

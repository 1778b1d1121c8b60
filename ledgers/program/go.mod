module github.com/suyuan-io/suyuan/ledgers/program

go 1.26

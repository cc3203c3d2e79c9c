module github.com/understudy-ai/understudy

go 1.26

//! Go's text/template language: lexer, parser, evaluator, fmt and error texts

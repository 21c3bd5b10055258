"""Texts that break naive code, by what is odd about them."""

AWKWARD_TEXTS: dict[str, str] = {
    "empty": "",
    "white space": " \t\n  ",
    "one token": "good",
    "one character": "a",
    "punctuation": "...!?",
    "no spaces": "x" * 100_000,
    "long": "The cat sat on the mat and looked at the rain. " * 400,
    "emoji": "I love it 😍👍🏽 👨‍👩‍👧‍👦 so much 🇨🇭",
    "combining marks": "a\u0301e\u0308o\u0302 Z\u0351\u036bA\u030aL\u0327G\u0323O\u0301!",
    "Chinese": "这部电影很好看。我非常喜欢！你呢？",
    "Japanese": "この映画はとても面白かった。また見たい。",
    "Arabic": "هذا الفيلم رائع جدا. أحببته كثيرا!",
    "Hebrew and English": "הסרט היה great ומצחיק.",
    "NUL bytes": "good\x00 food\x00\x00 here",
    "control characters": "a\x01b\x02\x7f\x9f c\u200bd\ufeffe",
    "no-break space": "good\u00a0food\u2028next line",
    "only unknown": "𓀀𓂀𓃀",
    "special tokens": "good [SEP] food </s> <pad> [PAD] <s> here",
}

//! Characters that look like ASCII letters, digits, underscores or hyphens: chosen by shape from the
//! Unicode Character Database's letters of the scripts that share shapes with Latin. Those with a
//! compatibility decomposition are not here: normalisation folds them.

/// What looks like an ASCII character to anyone, by code point.
pub(crate) const LOOK_ALIKES: [(char, u8); 259] = [
    ('\u{0184}', b'b'), // LATIN CAPITAL LETTER TONE SIX
    ('\u{0185}', b'b'), // LATIN SMALL LETTER TONE SIX
    ('\u{0196}', b'l'), // LATIN CAPITAL LETTER IOTA
    ('\u{01a6}', b'R'), // LATIN LETTER YR
    ('\u{01a7}', b'2'), // LATIN CAPITAL LETTER TONE TWO
    ('\u{01bc}', b'5'), // LATIN CAPITAL LETTER TONE FIVE
    ('\u{01c0}', b'l'), // LATIN LETTER DENTAL CLICK
    ('\u{021c}', b'3'), // LATIN CAPITAL LETTER YOGH
    ('\u{0222}', b'8'), // LATIN CAPITAL LETTER OU
    ('\u{0223}', b'8'), // LATIN SMALL LETTER OU
    ('\u{0237}', b'j'), // LATIN SMALL LETTER DOTLESS J
    ('\u{0251}', b'a'), // LATIN SMALL LETTER ALPHA
    ('\u{0261}', b'g'), // LATIN SMALL LETTER SCRIPT G
    ('\u{0262}', b'g'), // LATIN LETTER SMALL CAPITAL G
    ('\u{0269}', b'i'), // LATIN SMALL LETTER IOTA
    ('\u{026a}', b'i'), // LATIN LETTER SMALL CAPITAL I
    ('\u{0274}', b'n'), // LATIN LETTER SMALL CAPITAL N
    ('\u{0280}', b'r'), // LATIN LETTER SMALL CAPITAL R
    ('\u{028b}', b'u'), // LATIN SMALL LETTER V WITH HOOK
    ('\u{028f}', b'y'), // LATIN LETTER SMALL CAPITAL Y
    ('\u{0299}', b'b'), // LATIN LETTER SMALL CAPITAL B
    ('\u{029c}', b'h'), // LATIN LETTER SMALL CAPITAL H
    ('\u{029f}', b'l'), // LATIN LETTER SMALL CAPITAL L
    ('\u{02cd}', b'_'), // MODIFIER LETTER LOW MACRON
    ('\u{037f}', b'J'), // GREEK CAPITAL LETTER YOT
    ('\u{0391}', b'A'), // GREEK CAPITAL LETTER ALPHA
    ('\u{0392}', b'B'), // GREEK CAPITAL LETTER BETA
    ('\u{0395}', b'E'), // GREEK CAPITAL LETTER EPSILON
    ('\u{0396}', b'Z'), // GREEK CAPITAL LETTER ZETA
    ('\u{0397}', b'H'), // GREEK CAPITAL LETTER ETA
    ('\u{0399}', b'I'), // GREEK CAPITAL LETTER IOTA
    ('\u{039a}', b'K'), // GREEK CAPITAL LETTER KAPPA
    ('\u{039c}', b'M'), // GREEK CAPITAL LETTER MU
    ('\u{039d}', b'N'), // GREEK CAPITAL LETTER NU
    ('\u{039f}', b'O'), // GREEK CAPITAL LETTER OMICRON
    ('\u{03a1}', b'P'), // GREEK CAPITAL LETTER RHO
    ('\u{03a4}', b'T'), // GREEK CAPITAL LETTER TAU
    ('\u{03a5}', b'Y'), // GREEK CAPITAL LETTER UPSILON
    ('\u{03a7}', b'X'), // GREEK CAPITAL LETTER CHI
    ('\u{03b1}', b'a'), // GREEK SMALL LETTER ALPHA
    ('\u{03b3}', b'y'), // GREEK SMALL LETTER GAMMA
    ('\u{03b5}', b'e'), // GREEK SMALL LETTER EPSILON
    ('\u{03b7}', b'n'), // GREEK SMALL LETTER ETA
    ('\u{03b9}', b'i'), // GREEK SMALL LETTER IOTA
    ('\u{03ba}', b'k'), // GREEK SMALL LETTER KAPPA
    ('\u{03bd}', b'v'), // GREEK SMALL LETTER NU
    ('\u{03bf}', b'o'), // GREEK SMALL LETTER OMICRON
    ('\u{03c1}', b'p'), // GREEK SMALL LETTER RHO
    ('\u{03c3}', b'o'), // GREEK SMALL LETTER SIGMA
    ('\u{03c4}', b't'), // GREEK SMALL LETTER TAU
    ('\u{03c5}', b'u'), // GREEK SMALL LETTER UPSILON
    ('\u{03c7}', b'x'), // GREEK SMALL LETTER CHI
    ('\u{03c9}', b'w'), // GREEK SMALL LETTER OMEGA
    ('\u{03dc}', b'F'), // GREEK LETTER DIGAMMA
    ('\u{03f1}', b'p'), // GREEK RHO SYMBOL
    ('\u{03f2}', b'c'), // GREEK LUNATE SIGMA SYMBOL
    ('\u{03f3}', b'j'), // GREEK LETTER YOT
    ('\u{03f9}', b'C'), // GREEK CAPITAL LUNATE SIGMA SYMBOL
    ('\u{03fa}', b'M'), // GREEK CAPITAL LETTER SAN
    ('\u{0405}', b'S'), // CYRILLIC CAPITAL LETTER DZE
    ('\u{0406}', b'I'), // CYRILLIC CAPITAL LETTER BYELORUSSIAN-UKRAINIAN I
    ('\u{0408}', b'J'), // CYRILLIC CAPITAL LETTER JE
    ('\u{0410}', b'A'), // CYRILLIC CAPITAL LETTER A
    ('\u{0412}', b'B'), // CYRILLIC CAPITAL LETTER VE
    ('\u{0415}', b'E'), // CYRILLIC CAPITAL LETTER IE
    ('\u{0417}', b'3'), // CYRILLIC CAPITAL LETTER ZE
    ('\u{041a}', b'K'), // CYRILLIC CAPITAL LETTER KA
    ('\u{041c}', b'M'), // CYRILLIC CAPITAL LETTER EM
    ('\u{041d}', b'H'), // CYRILLIC CAPITAL LETTER EN
    ('\u{041e}', b'O'), // CYRILLIC CAPITAL LETTER O
    ('\u{0420}', b'P'), // CYRILLIC CAPITAL LETTER ER
    ('\u{0421}', b'C'), // CYRILLIC CAPITAL LETTER ES
    ('\u{0422}', b'T'), // CYRILLIC CAPITAL LETTER TE
    ('\u{0423}', b'Y'), // CYRILLIC CAPITAL LETTER U
    ('\u{0425}', b'X'), // CYRILLIC CAPITAL LETTER HA
    ('\u{042c}', b'b'), // CYRILLIC CAPITAL LETTER SOFT SIGN
    ('\u{0430}', b'a'), // CYRILLIC SMALL LETTER A
    ('\u{0431}', b'6'), // CYRILLIC SMALL LETTER BE
    ('\u{0433}', b'r'), // CYRILLIC SMALL LETTER GHE
    ('\u{0435}', b'e'), // CYRILLIC SMALL LETTER IE
    ('\u{043a}', b'k'), // CYRILLIC SMALL LETTER KA
    ('\u{043e}', b'o'), // CYRILLIC SMALL LETTER O
    ('\u{043f}', b'n'), // CYRILLIC SMALL LETTER PE
    ('\u{0440}', b'p'), // CYRILLIC SMALL LETTER ER
    ('\u{0441}', b'c'), // CYRILLIC SMALL LETTER ES
    ('\u{0443}', b'y'), // CYRILLIC SMALL LETTER U
    ('\u{0445}', b'x'), // CYRILLIC SMALL LETTER HA
    ('\u{0455}', b's'), // CYRILLIC SMALL LETTER DZE
    ('\u{0456}', b'i'), // CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I
    ('\u{0458}', b'j'), // CYRILLIC SMALL LETTER JE
    ('\u{0461}', b'w'), // CYRILLIC SMALL LETTER OMEGA
    ('\u{0474}', b'V'), // CYRILLIC CAPITAL LETTER IZHITSA
    ('\u{0475}', b'v'), // CYRILLIC SMALL LETTER IZHITSA
    ('\u{04ae}', b'Y'), // CYRILLIC CAPITAL LETTER STRAIGHT U
    ('\u{04af}', b'y'), // CYRILLIC SMALL LETTER STRAIGHT U
    ('\u{04ba}', b'h'), // CYRILLIC CAPITAL LETTER SHHA
    ('\u{04bb}', b'h'), // CYRILLIC SMALL LETTER SHHA
    ('\u{04c0}', b'I'), // CYRILLIC LETTER PALOCHKA
    ('\u{04cf}', b'l'), // CYRILLIC SMALL LETTER PALOCHKA
    ('\u{0500}', b'd'), // CYRILLIC CAPITAL LETTER KOMI DE
    ('\u{0501}', b'd'), // CYRILLIC SMALL LETTER KOMI DE
    ('\u{051a}', b'Q'), // CYRILLIC CAPITAL LETTER QA
    ('\u{051b}', b'q'), // CYRILLIC SMALL LETTER QA
    ('\u{051c}', b'W'), // CYRILLIC CAPITAL LETTER WE
    ('\u{051d}', b'w'), // CYRILLIC SMALL LETTER WE
    ('\u{053c}', b'L'), // ARMENIAN CAPITAL LETTER LIWN
    ('\u{054d}', b'U'), // ARMENIAN CAPITAL LETTER SEH
    ('\u{054f}', b'S'), // ARMENIAN CAPITAL LETTER TIWN
    ('\u{0555}', b'O'), // ARMENIAN CAPITAL LETTER OH
    ('\u{0561}', b'w'), // ARMENIAN SMALL LETTER AYB
    ('\u{0566}', b'q'), // ARMENIAN SMALL LETTER ZA
    ('\u{0570}', b'h'), // ARMENIAN SMALL LETTER HO
    ('\u{0575}', b'j'), // ARMENIAN SMALL LETTER YI
    ('\u{0578}', b'n'), // ARMENIAN SMALL LETTER VO
    ('\u{057c}', b'n'), // ARMENIAN SMALL LETTER RA
    ('\u{057d}', b'u'), // ARMENIAN SMALL LETTER SEH
    ('\u{0581}', b'g'), // ARMENIAN SMALL LETTER CO
    ('\u{0582}', b'i'), // ARMENIAN SMALL LETTER YIWN
    ('\u{0585}', b'o'), // ARMENIAN SMALL LETTER OH
    ('\u{07ca}', b'l'), // NKO LETTER A
    ('\u{13a0}', b'D'), // CHEROKEE LETTER A
    ('\u{13a1}', b'R'), // CHEROKEE LETTER E
    ('\u{13a2}', b'T'), // CHEROKEE LETTER I
    ('\u{13a5}', b'i'), // CHEROKEE LETTER V
    ('\u{13a9}', b'Y'), // CHEROKEE LETTER GI
    ('\u{13aa}', b'A'), // CHEROKEE LETTER GO
    ('\u{13ab}', b'J'), // CHEROKEE LETTER GU
    ('\u{13ac}', b'E'), // CHEROKEE LETTER GV
    ('\u{13b3}', b'W'), // CHEROKEE LETTER LA
    ('\u{13b7}', b'M'), // CHEROKEE LETTER LU
    ('\u{13bb}', b'H'), // CHEROKEE LETTER MI
    ('\u{13bd}', b'Y'), // CHEROKEE LETTER MU
    ('\u{13c0}', b'G'), // CHEROKEE LETTER NAH
    ('\u{13c2}', b'h'), // CHEROKEE LETTER NI
    ('\u{13c3}', b'Z'), // CHEROKEE LETTER NO
    ('\u{13ce}', b'4'), // CHEROKEE LETTER SE
    ('\u{13cf}', b'b'), // CHEROKEE LETTER SI
    ('\u{13d2}', b'R'), // CHEROKEE LETTER SV
    ('\u{13d4}', b'W'), // CHEROKEE LETTER TA
    ('\u{13d5}', b'S'), // CHEROKEE LETTER DE
    ('\u{13d9}', b'V'), // CHEROKEE LETTER DO
    ('\u{13da}', b'S'), // CHEROKEE LETTER DU
    ('\u{13de}', b'L'), // CHEROKEE LETTER TLE
    ('\u{13df}', b'C'), // CHEROKEE LETTER TLI
    ('\u{13e2}', b'P'), // CHEROKEE LETTER TLV
    ('\u{13e6}', b'K'), // CHEROKEE LETTER TSO
    ('\u{13e7}', b'd'), // CHEROKEE LETTER TSU
    ('\u{13f4}', b'B'), // CHEROKEE LETTER YV
    ('\u{142f}', b'V'), // CANADIAN SYLLABICS PE
    ('\u{144c}', b'U'), // CANADIAN SYLLABICS TE
    ('\u{144e}', b'N'), // CANADIAN SYLLABICS TI
    ('\u{1455}', b'C'), // CANADIAN SYLLABICS TA
    ('\u{146d}', b'P'), // CANADIAN SYLLABICS KI
    ('\u{148d}', b'J'), // CANADIAN SYLLABICS CO
    ('\u{14aa}', b'L'), // CANADIAN SYLLABICS MA
    ('\u{1515}', b'S'), // CANADIAN SYLLABICS SHA
    ('\u{156e}', b'E'), // CANADIAN SYLLABICS TTHA
    ('\u{157c}', b'H'), // CANADIAN SYLLABICS NUNAVUT H
    ('\u{1587}', b'R'), // CANADIAN SYLLABICS TLHI
    ('\u{15b4}', b'F'), // CANADIAN SYLLABICS BLACKFOOT WE
    ('\u{15c5}', b'A'), // CANADIAN SYLLABICS CARRIER GHO
    ('\u{15ea}', b'D'), // CANADIAN SYLLABICS CARRIER PE
    ('\u{15ef}', b'W'), // CANADIAN SYLLABICS CARRIER GU
    ('\u{15f0}', b'M'), // CANADIAN SYLLABICS CARRIER GO
    ('\u{15f7}', b'B'), // CANADIAN SYLLABICS CARRIER KHE
    ('\u{1d00}', b'a'), // LATIN LETTER SMALL CAPITAL A
    ('\u{1d04}', b'c'), // LATIN LETTER SMALL CAPITAL C
    ('\u{1d05}', b'd'), // LATIN LETTER SMALL CAPITAL D
    ('\u{1d07}', b'e'), // LATIN LETTER SMALL CAPITAL E
    ('\u{1d0a}', b'j'), // LATIN LETTER SMALL CAPITAL J
    ('\u{1d0b}', b'k'), // LATIN LETTER SMALL CAPITAL K
    ('\u{1d0d}', b'm'), // LATIN LETTER SMALL CAPITAL M
    ('\u{1d0f}', b'o'), // LATIN LETTER SMALL CAPITAL O
    ('\u{1d11}', b'o'), // LATIN SMALL LETTER SIDEWAYS O
    ('\u{1d18}', b'p'), // LATIN LETTER SMALL CAPITAL P
    ('\u{1d1b}', b't'), // LATIN LETTER SMALL CAPITAL T
    ('\u{1d1c}', b'u'), // LATIN LETTER SMALL CAPITAL U
    ('\u{1d20}', b'v'), // LATIN LETTER SMALL CAPITAL V
    ('\u{1d21}', b'w'), // LATIN LETTER SMALL CAPITAL W
    ('\u{1d22}', b'z'), // LATIN LETTER SMALL CAPITAL Z
    ('\u{212e}', b'e'), // ESTIMATED SYMBOL
    ('\u{237a}', b'a'), // APL FUNCTIONAL SYMBOL ALPHA
    ('\u{2c82}', b'B'), // COPTIC CAPITAL LETTER VIDA
    ('\u{2c8e}', b'H'), // COPTIC CAPITAL LETTER HATE
    ('\u{2c92}', b'I'), // COPTIC CAPITAL LETTER IAUDA
    ('\u{2c94}', b'K'), // COPTIC CAPITAL LETTER KAPA
    ('\u{2c98}', b'M'), // COPTIC CAPITAL LETTER MI
    ('\u{2c9a}', b'N'), // COPTIC CAPITAL LETTER NI
    ('\u{2c9e}', b'O'), // COPTIC CAPITAL LETTER O
    ('\u{2c9f}', b'o'), // COPTIC SMALL LETTER O
    ('\u{2ca2}', b'P'), // COPTIC CAPITAL LETTER RO
    ('\u{2ca3}', b'p'), // COPTIC SMALL LETTER RO
    ('\u{2ca4}', b'C'), // COPTIC CAPITAL LETTER SIMA
    ('\u{2ca5}', b'c'), // COPTIC SMALL LETTER SIMA
    ('\u{2ca6}', b'T'), // COPTIC CAPITAL LETTER TAU
    ('\u{2ca8}', b'Y'), // COPTIC CAPITAL LETTER UA
    ('\u{2cac}', b'X'), // COPTIC CAPITAL LETTER KHI
    ('\u{2d4f}', b'I'), // TIFINAGH LETTER YAN
    ('\u{2d54}', b'O'), // TIFINAGH LETTER YAR
    ('\u{2d5d}', b'X'), // TIFINAGH LETTER YATH
    ('\u{a4d0}', b'B'), // LISU LETTER BA
    ('\u{a4d1}', b'P'), // LISU LETTER PA
    ('\u{a4d2}', b'd'), // LISU LETTER PHA
    ('\u{a4d3}', b'D'), // LISU LETTER DA
    ('\u{a4d4}', b'T'), // LISU LETTER TA
    ('\u{a4d6}', b'G'), // LISU LETTER GA
    ('\u{a4d7}', b'K'), // LISU LETTER KA
    ('\u{a4d9}', b'J'), // LISU LETTER JA
    ('\u{a4da}', b'C'), // LISU LETTER CA
    ('\u{a4dc}', b'Z'), // LISU LETTER DZA
    ('\u{a4dd}', b'F'), // LISU LETTER TSA
    ('\u{a4df}', b'M'), // LISU LETTER MA
    ('\u{a4e0}', b'N'), // LISU LETTER NA
    ('\u{a4e1}', b'L'), // LISU LETTER LA
    ('\u{a4e2}', b'S'), // LISU LETTER SA
    ('\u{a4e3}', b'R'), // LISU LETTER ZHA
    ('\u{a4e6}', b'V'), // LISU LETTER HA
    ('\u{a4e7}', b'H'), // LISU LETTER XA
    ('\u{a4ea}', b'W'), // LISU LETTER WA
    ('\u{a4eb}', b'X'), // LISU LETTER SHA
    ('\u{a4ec}', b'Y'), // LISU LETTER YA
    ('\u{a4ee}', b'A'), // LISU LETTER A
    ('\u{a4f0}', b'E'), // LISU LETTER E
    ('\u{a4f2}', b'I'), // LISU LETTER I
    ('\u{a4f3}', b'O'), // LISU LETTER O
    ('\u{a4f4}', b'U'), // LISU LETTER U
    ('\u{a730}', b'f'), // LATIN LETTER SMALL CAPITAL F
    ('\u{a731}', b's'), // LATIN LETTER SMALL CAPITAL S
    ('\u{a7af}', b'q'), // LATIN LETTER SMALL CAPITAL Q
    ('\u{ab35}', b'f'), // LATIN SMALL LETTER LENIS F
    ('\u{ab47}', b'r'), // LATIN SMALL LETTER R WITHOUT HANDLE
    ('\u{ab48}', b'r'), // LATIN SMALL LETTER DOUBLE R
    ('\u{ab70}', b'd'), // CHEROKEE SMALL LETTER A
    ('\u{ab71}', b'r'), // CHEROKEE SMALL LETTER E
    ('\u{ab72}', b't'), // CHEROKEE SMALL LETTER I
    ('\u{ab75}', b'i'), // CHEROKEE SMALL LETTER V
    ('\u{ab79}', b'y'), // CHEROKEE SMALL LETTER GI
    ('\u{ab7a}', b'a'), // CHEROKEE SMALL LETTER GO
    ('\u{ab7b}', b'j'), // CHEROKEE SMALL LETTER GU
    ('\u{ab7c}', b'e'), // CHEROKEE SMALL LETTER GV
    ('\u{ab83}', b'w'), // CHEROKEE SMALL LETTER LA
    ('\u{ab87}', b'm'), // CHEROKEE SMALL LETTER LU
    ('\u{ab8b}', b'h'), // CHEROKEE SMALL LETTER MI
    ('\u{ab8d}', b'y'), // CHEROKEE SMALL LETTER MU
    ('\u{ab90}', b'g'), // CHEROKEE SMALL LETTER NAH
    ('\u{ab92}', b'h'), // CHEROKEE SMALL LETTER NI
    ('\u{ab93}', b'z'), // CHEROKEE SMALL LETTER NO
    ('\u{ab9e}', b'4'), // CHEROKEE SMALL LETTER SE
    ('\u{ab9f}', b'b'), // CHEROKEE SMALL LETTER SI
    ('\u{aba2}', b'r'), // CHEROKEE SMALL LETTER SV
    ('\u{aba4}', b'w'), // CHEROKEE SMALL LETTER TA
    ('\u{aba5}', b's'), // CHEROKEE SMALL LETTER DE
    ('\u{aba9}', b'v'), // CHEROKEE SMALL LETTER DO
    ('\u{abaa}', b's'), // CHEROKEE SMALL LETTER DU
    ('\u{abae}', b'l'), // CHEROKEE SMALL LETTER TLE
    ('\u{abaf}', b'c'), // CHEROKEE SMALL LETTER TLI
    ('\u{abb2}', b'p'), // CHEROKEE SMALL LETTER TLV
    ('\u{abb6}', b'k'), // CHEROKEE SMALL LETTER TSO
    ('\u{abb7}', b'd'), // CHEROKEE SMALL LETTER TSU
];

/// Letters and dashes that ordinary prose in Latin script is full of: they stand for ASCII only in
/// something that looks like a token.
pub(crate) const PROSE_LETTERS: [(char, u8); 74] = [
    ('\u{00d8}', b'O'), // LATIN CAPITAL LETTER O WITH STROKE
    ('\u{00f8}', b'o'), // LATIN SMALL LETTER O WITH STROKE
    ('\u{0110}', b'D'), // LATIN CAPITAL LETTER D WITH STROKE
    ('\u{0111}', b'd'), // LATIN SMALL LETTER D WITH STROKE
    ('\u{0126}', b'H'), // LATIN CAPITAL LETTER H WITH STROKE
    ('\u{0127}', b'h'), // LATIN SMALL LETTER H WITH STROKE
    ('\u{0131}', b'i'), // LATIN SMALL LETTER DOTLESS I
    ('\u{0141}', b'L'), // LATIN CAPITAL LETTER L WITH STROKE
    ('\u{0142}', b'l'), // LATIN SMALL LETTER L WITH STROKE
    ('\u{0166}', b'T'), // LATIN CAPITAL LETTER T WITH STROKE
    ('\u{0167}', b't'), // LATIN SMALL LETTER T WITH STROKE
    ('\u{0180}', b'b'), // LATIN SMALL LETTER B WITH STROKE
    ('\u{0181}', b'B'), // LATIN CAPITAL LETTER B WITH HOOK
    ('\u{0182}', b'B'), // LATIN CAPITAL LETTER B WITH TOPBAR
    ('\u{0183}', b'b'), // LATIN SMALL LETTER B WITH TOPBAR
    ('\u{0187}', b'C'), // LATIN CAPITAL LETTER C WITH HOOK
    ('\u{0188}', b'c'), // LATIN SMALL LETTER C WITH HOOK
    ('\u{018a}', b'D'), // LATIN CAPITAL LETTER D WITH HOOK
    ('\u{018b}', b'D'), // LATIN CAPITAL LETTER D WITH TOPBAR
    ('\u{018c}', b'd'), // LATIN SMALL LETTER D WITH TOPBAR
    ('\u{0191}', b'F'), // LATIN CAPITAL LETTER F WITH HOOK
    ('\u{0192}', b'f'), // LATIN SMALL LETTER F WITH HOOK
    ('\u{0193}', b'G'), // LATIN CAPITAL LETTER G WITH HOOK
    ('\u{0197}', b'I'), // LATIN CAPITAL LETTER I WITH STROKE
    ('\u{0198}', b'K'), // LATIN CAPITAL LETTER K WITH HOOK
    ('\u{0199}', b'k'), // LATIN SMALL LETTER K WITH HOOK
    ('\u{019a}', b'l'), // LATIN SMALL LETTER L WITH BAR
    ('\u{019e}', b'n'), // LATIN SMALL LETTER N WITH LONG RIGHT LEG
    ('\u{019f}', b'O'), // LATIN CAPITAL LETTER O WITH MIDDLE TILDE
    ('\u{01a4}', b'P'), // LATIN CAPITAL LETTER P WITH HOOK
    ('\u{01a5}', b'p'), // LATIN SMALL LETTER P WITH HOOK
    ('\u{01ab}', b't'), // LATIN SMALL LETTER T WITH PALATAL HOOK
    ('\u{01ac}', b'T'), // LATIN CAPITAL LETTER T WITH HOOK
    ('\u{01ad}', b't'), // LATIN SMALL LETTER T WITH HOOK
    ('\u{01ae}', b'T'), // LATIN CAPITAL LETTER T WITH RETROFLEX HOOK
    ('\u{01b2}', b'V'), // LATIN CAPITAL LETTER V WITH HOOK
    ('\u{01b3}', b'Y'), // LATIN CAPITAL LETTER Y WITH HOOK
    ('\u{01b4}', b'y'), // LATIN SMALL LETTER Y WITH HOOK
    ('\u{01b5}', b'Z'), // LATIN CAPITAL LETTER Z WITH STROKE
    ('\u{01b6}', b'z'), // LATIN SMALL LETTER Z WITH STROKE
    ('\u{01e4}', b'G'), // LATIN CAPITAL LETTER G WITH STROKE
    ('\u{01e5}', b'g'), // LATIN SMALL LETTER G WITH STROKE
    ('\u{0220}', b'N'), // LATIN CAPITAL LETTER N WITH LONG RIGHT LEG
    ('\u{0221}', b'd'), // LATIN SMALL LETTER D WITH CURL
    ('\u{0224}', b'Z'), // LATIN CAPITAL LETTER Z WITH HOOK
    ('\u{0225}', b'z'), // LATIN SMALL LETTER Z WITH HOOK
    ('\u{0234}', b'l'), // LATIN SMALL LETTER L WITH CURL
    ('\u{0235}', b'n'), // LATIN SMALL LETTER N WITH CURL
    ('\u{0236}', b't'), // LATIN SMALL LETTER T WITH CURL
    ('\u{023a}', b'A'), // LATIN CAPITAL LETTER A WITH STROKE
    ('\u{023b}', b'C'), // LATIN CAPITAL LETTER C WITH STROKE
    ('\u{023c}', b'c'), // LATIN SMALL LETTER C WITH STROKE
    ('\u{023d}', b'L'), // LATIN CAPITAL LETTER L WITH BAR
    ('\u{023e}', b'T'), // LATIN CAPITAL LETTER T WITH DIAGONAL STROKE
    ('\u{023f}', b's'), // LATIN SMALL LETTER S WITH SWASH TAIL
    ('\u{0240}', b'z'), // LATIN SMALL LETTER Z WITH SWASH TAIL
    ('\u{0243}', b'B'), // LATIN CAPITAL LETTER B WITH STROKE
    ('\u{0246}', b'E'), // LATIN CAPITAL LETTER E WITH STROKE
    ('\u{0247}', b'e'), // LATIN SMALL LETTER E WITH STROKE
    ('\u{0248}', b'J'), // LATIN CAPITAL LETTER J WITH STROKE
    ('\u{0249}', b'j'), // LATIN SMALL LETTER J WITH STROKE
    ('\u{024c}', b'R'), // LATIN CAPITAL LETTER R WITH STROKE
    ('\u{024d}', b'r'), // LATIN SMALL LETTER R WITH STROKE
    ('\u{024e}', b'Y'), // LATIN CAPITAL LETTER Y WITH STROKE
    ('\u{024f}', b'y'), // LATIN SMALL LETTER Y WITH STROKE
    ('\u{2010}', b'-'), // HYPHEN
    ('\u{2011}', b'-'), // NON-BREAKING HYPHEN
    ('\u{2012}', b'-'), // FIGURE DASH
    ('\u{2013}', b'-'), // EN DASH
    ('\u{2014}', b'-'), // EM DASH
    ('\u{2015}', b'-'), // HORIZONTAL BAR
    ('\u{2043}', b'-'), // HYPHEN BULLET
    ('\u{2212}', b'-'), // MINUS SIGN
    ('\u{fe58}', b'-'), // SMALL EM DASH
];

/// The zeros of the scripts' decimal digits (general category Nd); nine more follow each.
pub(crate) const ZEROS: [char; 58] = [
    '\u{0660}',  // ARABIC-INDIC DIGIT ZERO
    '\u{06f0}',  // EXTENDED ARABIC-INDIC DIGIT ZERO
    '\u{07c0}',  // NKO DIGIT ZERO
    '\u{0966}',  // DEVANAGARI DIGIT ZERO
    '\u{09e6}',  // BENGALI DIGIT ZERO
    '\u{0a66}',  // GURMUKHI DIGIT ZERO
    '\u{0ae6}',  // GUJARATI DIGIT ZERO
    '\u{0b66}',  // ORIYA DIGIT ZERO
    '\u{0be6}',  // TAMIL DIGIT ZERO
    '\u{0c66}',  // TELUGU DIGIT ZERO
    '\u{0ce6}',  // KANNADA DIGIT ZERO
    '\u{0d66}',  // MALAYALAM DIGIT ZERO
    '\u{0de6}',  // SINHALA LITH DIGIT ZERO
    '\u{0e50}',  // THAI DIGIT ZERO
    '\u{0ed0}',  // LAO DIGIT ZERO
    '\u{0f20}',  // TIBETAN DIGIT ZERO
    '\u{1040}',  // MYANMAR DIGIT ZERO
    '\u{1090}',  // MYANMAR SHAN DIGIT ZERO
    '\u{17e0}',  // KHMER DIGIT ZERO
    '\u{1810}',  // MONGOLIAN DIGIT ZERO
    '\u{1946}',  // LIMBU DIGIT ZERO
    '\u{19d0}',  // NEW TAI LUE DIGIT ZERO
    '\u{1a80}',  // TAI THAM HORA DIGIT ZERO
    '\u{1a90}',  // TAI THAM THAM DIGIT ZERO
    '\u{1b50}',  // BALINESE DIGIT ZERO
    '\u{1bb0}',  // SUNDANESE DIGIT ZERO
    '\u{1c40}',  // LEPCHA DIGIT ZERO
    '\u{1c50}',  // OL CHIKI DIGIT ZERO
    '\u{a620}',  // VAI DIGIT ZERO
    '\u{a8d0}',  // SAURASHTRA DIGIT ZERO
    '\u{a900}',  // KAYAH LI DIGIT ZERO
    '\u{a9d0}',  // JAVANESE DIGIT ZERO
    '\u{a9f0}',  // MYANMAR TAI LAING DIGIT ZERO
    '\u{aa50}',  // CHAM DIGIT ZERO
    '\u{abf0}',  // MEETEI MAYEK DIGIT ZERO
    '\u{104a0}', // OSMANYA DIGIT ZERO
    '\u{10d30}', // HANIFI ROHINGYA DIGIT ZERO
    '\u{11066}', // BRAHMI DIGIT ZERO
    '\u{110f0}', // SORA SOMPENG DIGIT ZERO
    '\u{11136}', // CHAKMA DIGIT ZERO
    '\u{111d0}', // SHARADA DIGIT ZERO
    '\u{112f0}', // KHUDAWADI DIGIT ZERO
    '\u{11450}', // NEWA DIGIT ZERO
    '\u{114d0}', // TIRHUTA DIGIT ZERO
    '\u{11650}', // MODI DIGIT ZERO
    '\u{116c0}', // TAKRI DIGIT ZERO
    '\u{11730}', // AHOM DIGIT ZERO
    '\u{118e0}', // WARANG CITI DIGIT ZERO
    '\u{11950}', // DIVES AKURU DIGIT ZERO
    '\u{11c50}', // BHAIKSUKI DIGIT ZERO
    '\u{11d50}', // MASARAM GONDI DIGIT ZERO
    '\u{11da0}', // GUNJALA GONDI DIGIT ZERO
    '\u{16a60}', // MRO DIGIT ZERO
    '\u{16ac0}', // TANGSA DIGIT ZERO
    '\u{16b50}', // PAHAWH HMONG DIGIT ZERO
    '\u{1e140}', // NYIAKENG PUACHUE HMONG DIGIT ZERO
    '\u{1e2f0}', // WANCHO DIGIT ZERO
    '\u{1e950}', // ADLAM DIGIT ZERO
];

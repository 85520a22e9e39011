/* Shared by the files of this folder: the words of a language, and filling in. */
#ifndef NOTICE_PRIVATE_H
#define NOTICE_PRIVATE_H

#include "notice/notice.h"

enum { LANGS = 2 };

/* The catalogue's files, NUL-terminated (script/embed-text). */
extern const char notice_people_en[], notice_people_de[], notice_authority_en[], notice_authority_de[], notice_words_en[],
	notice_words_de[];

int notice_lang(const char *lang);	/* place in notice_langs, -1 */
/* The line `KEY = TEXT`; len 0: none. */
struct span notice_word(int lang, const char *key);
/* The same by the longest category that fits: "data." and user.contact.email, user.contact, user. */
struct span notice_category(int lang, const char *prefix, const char *category);
void notice_date(int lang, int64_t at, struct buf *out);
/* The texts of a prefix for categories [text or {category}], in the file's order, each once; bullet in front. */
void notice_lines(int lang, const char *prefix, const json_t *categories, struct buf *out);

/*
 * Fills {name} from values (an object of strings).  Names in `open` (NULL-ended) stay as they are; any other that has no
 * value becomes nothing and sets *empty.
 */
void notice_fill(struct span text, const json_t *values, const char *const *open, struct buf *out, bool *empty);

#endif

/*
 * Codes of the diagnostics for files that people write (weir.yaml, contracts).  They are stable: scripts and editors
 * match on them, docs/errors.md explains each (a test compares the two), and a code that isn't in this list doesn't
 * compile.  X(code, one line for the table of docs/errors.md)
 */
#ifndef BASE_CODES_H
#define BASE_CODES_H

#define DIAG_CODES(X)                                                                                                  \
	X(yaml, "the file isn't YAML, or is empty")                                                                    \
	X(utf8, "the file isn't UTF-8")                                                                                \
	X(limit, "a stated ceiling was passed")                                                                        \
	X(yaml_anchor, "an anchor or an alias")                                                                        \
	X(yaml_tag, "a tag")                                                                                           \
	X(yaml_documents, "a second document")                                                                         \
	X(yaml_key, "a key that isn't plain text")                                                                     \
	X(duplicate_key, "a key stands twice")                                                                         \
	X(unknown_key, "a key that Weir doesn't know here")                                                            \
	X(missing_key, "a key that must be there isn't")                                                               \
	X(wrong_shape, "text where a list or a map belongs, or the other way round")                                   \
	X(format_version, "a version of the format that this Weir doesn't read")                                       \
	X(bad_value, "a value outside what this key allows")                                                           \
	X(unknown_word, "a word that isn't one of the listed ones")                                                    \
	X(duplicate_value, "a list names something twice")                                                             \
	X(bad_name, "not a name of the form [a-z0-9-]{1,63}")                                                          \
	X(bad_country, "not an ISO 3166-1 code of two letters")                                                        \
	X(bad_date, "not a date of the form 2026-01-15")                                                               \
	X(date_order, "the contract ends before it was signed")                                                        \
	X(bad_duration, "not an ISO 8601 duration")                                                                    \
	X(bad_size, "not a size such as 512MiB")                                                                       \
	X(bad_url, "not an upstream of the form https://host[:port][/path]")                                           \
	X(plain_http, "warning: the upstream is not encrypted")                                                        \
	X(bad_secret, "a secret that isn't given as env:NAME or file:PATH")                                            \
	X(unknown_adapter, "no adapter has this name")                                                                 \
	X(unsupported, "the adapter's protocol has no such thing")                                                     \
	X(event_pattern, "a * that isn't the last character")                                                          \
	X(link_event, "warning: an event that `links` decides about")                                                  \
	X(bad_path, "a path that breaks the grammar")                                                                  \
	X(path_wildcard, "a wildcard over fields")                                                                     \
	X(path_conflict, "two rules for one place, or for a place and one above it")                                   \
	X(path_slot, "a rule on a place that the protocol decides about")                                              \
	X(unknown_path, "a path that no rule of the contract names")                                                   \
	X(no_action, "a rule without an action")                                                                       \
	X(many_actions, "a rule with more than one action")                                                            \
	X(unknown_action, "an action that doesn't exist")                                                              \
	X(bad_argument, "an argument that the action can't take")                                                      \
	X(ambiguous_scalar, "a value that YAML readers disagree about")                                                \
	X(inexact_number, "a number that a double can't hold exactly")                                                 \
	X(useless_option, "an option that means nothing with this action")                                             \
	X(bad_detectors, "a file of detectors that isn't there or has mistakes")                                        \
	X(not_narrower, "`restricted` would let out more than the contract")                                           \
	X(unknown_category, "warning: a category that Fideslang doesn't have")                                         \
	X(unknown_clause, "warning: a clause that isn't in the list")                                                  \
	X(unknown_basis, "warning: a legal basis that GDPR Art. 6(1) doesn't have")                                    \
	X(advice, "warning: something that is allowed and rarely meant")                                               \
	X(bad_address, "not an address of the form HOST:PORT")                                                         \
	X(bad_host, "not a host name")                                                                                 \
	X(tls_pair, "a certificate without its key, or the other way round")

#define X(code, what) extern const char diag_code_##code[];
DIAG_CODES(X)
#undef X
#define CODE(code) diag_code_##code

/* All of them, in the order above; NULL-ended. */
extern const char *const diag_codes[];

#endif

/* Contract files as a person has them: the file, and the files of detectors that it names. */
#ifndef CLI_CONTRACT_FILE_H
#define CLI_CONTRACT_FILE_H

#include <dirent.h>

#include "base/diag.h"
#include "contract/contract.h"

/*
 * contract_parse of `text`, which stands in `path` ("-": standard input), and detectors/NAME.yaml for each NAME that it
 * lists: in the folder `detectors` beside the folder of the contract, for standard input in this one.  Every mistake of these
 * files goes to `said` (a diags a file that has any; their print is the caller's), and one of each to d.  NULL: d has errors.
 */
struct contract *contract_file_parse(const char *path, const char *text, size_t n, struct diags *d,
				     void (*said)(void *arg, const struct diags *of_detectors), void *arg);

/*
 * A warning to `said` for each file NAME.yaml of the folder `detectors` beside this folder of contracts that none of them
 * names.  None at all while one of them has mistakes: it may.
 */
void contract_folder_unnamed(const char *folder, void (*said)(void *arg, const struct diags *of_detectors), void *arg);
/* The same for the folder of this contract file ("-": nothing). */
void contract_file_unnamed(const char *path, void (*said)(void *arg, const struct diags *of_detectors), void *arg);
/* Is it a file of YAML?  For scandir. */
int contract_file_is_yaml(const struct dirent *e);

/* For `said`: prints them to standard error; arg isn't used. */
void contract_file_complain(void *arg, const struct diags *d);

#endif

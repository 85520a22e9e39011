/* `weir ledger export`: the whole ledger for other engines. */
#ifndef CLI_LEDGER_EXPORT_H
#define CLI_LEDGER_EXPORT_H

#include "base/err.h"

/*
 * From the files, whether Weir runs or not; changes nothing in them.  dir: --dir or NULL.
 *   _clickhouse  makes folder, which mustn't be there: a file a table, schema.sql, load.sql
 *   _lines       NDJSON into file, which is replaced; "-" is standard output
 * -1: what was written so far is gone, but for standard output.
 */
int ledger_export_to_clickhouse(const char *dir, const char *folder, struct err *err);
int ledger_export_to_lines(const char *dir, const char *file, struct err *err);

#endif

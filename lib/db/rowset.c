/* rowset.c: a thin face over PGresult. */
#include "db/rowset.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"

/* pg_type.dat of PostgreSQL; these object ids never change. */
enum oid {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_JSON = 114,
	OID_DATE = 1082,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_JSONB = 3802,
};

void rowset_fini(struct rowset *rs)
{
	PQclear(rs->result);
	rs->result = NULL;
}

size_t rowset_bytes(const struct rowset *rs)
{
	return rs->result ? PQresultMemorySize(rs->result) : 0;
}

int rowset_rows(const struct rowset *rs)
{
	return rs->result ? PQntuples(rs->result) : 0;
}

int rowset_cols(const struct rowset *rs)
{
	return rs->result ? PQnfields(rs->result) : 0;
}

int64_t rowset_affected(const struct rowset *rs)
{
	int64_t n = 0;
	if (rs->result && !num_parse_int(PQcmdTuples(rs->result), 0, INT64_MAX, &n))
		return 0;
	return n;
}

const char *rowset_name(const struct rowset *rs, int col)
{
	return PQfname(rs->result, col);
}

enum rowset_type rowset_kind(const struct rowset *rs, int col)
{
	switch ((enum oid)PQftype(rs->result, col)) {
	case OID_BOOL:
		return ROWSET_BOOL;
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_NUMERIC:
		return ROWSET_NUMBER;
	case OID_JSON:
	case OID_JSONB:
		return ROWSET_JSON;
	case OID_DATE:
		return ROWSET_DATE;
	case OID_TIMESTAMP:
	case OID_TIMESTAMPTZ:
		return ROWSET_TIME;
	default:
		return ROWSET_TEXT;
	}
}

const char *rowset_text(const struct rowset *rs, int row, int col)
{
	must(!PQbinaryTuples(rs->result));
	return PQgetisnull(rs->result, row, col) ? NULL : PQgetvalue(rs->result, row, col);
}

const char *rowset_get(const struct rowset *rs, int row, const char *name)
{
	int col = PQfnumber(rs->result, name);
	must(col >= 0 && row < rowset_rows(rs));
	return rowset_text(rs, row, col);
}

int64_t rowset_int(const struct rowset *rs, int row, const char *name)
{
	int64_t v = 0;
	const char *text = rowset_get(rs, row, name);
	must(!text || num_parse_int(text, INT64_MIN, INT64_MAX, &v));
	return v;
}

const unsigned char *rowset_blob(const struct rowset *rs, int row, int col, size_t *n)
{
	must(PQbinaryTuples(rs->result) && PQftype(rs->result, col) == OID_BYTEA);
	*n = (size_t)PQgetlength(rs->result, row, col);
	return PQgetisnull(rs->result, row, col) ? NULL
	                                         : (unsigned char *)PQgetvalue(rs->result, row, col);
}

int64_t rowset_number(const struct rowset *rs, int row, int col)
{
	uint16_t v2;
	uint32_t v4;
	uint64_t v8;
	const char *at = PQgetvalue(rs->result, row, col);
	Oid type = PQftype(rs->result, col);
	must(PQbinaryTuples(rs->result) && (type == OID_INT2 || type == OID_INT4 || type == OID_INT8));
	if (PQgetisnull(rs->result, row, col))
		return 0;
	if (type == OID_INT2) {
		memcpy(&v2, at, sizeof v2);
		return (int16_t)be16toh(v2);
	}
	if (type == OID_INT4) {
		memcpy(&v4, at, sizeof v4);
		return (int32_t)be32toh(v4);
	}
	memcpy(&v8, at, sizeof v8);
	return (int64_t)be64toh(v8);
}

/** What a span says of a statement. */
type Statement = {
  /** `SELECT orders`: few enough to group by. */
  title: string;
  /** `SELECT`. */
  operation: string;
  /** In one line, with placeholders. */
  text: string;
};

const mostKept = 500;

/** Reads operation and table off a statement. Code has few statements and runs them often, so the readings are kept, up to 500. */
export function statementReader(): (sql: string) => Statement {
  const kept = new Map<string, Statement>();
  return function statementOf(sql) {
    let statement = kept.get(sql);
    if (statement === undefined) {
      statement = read(sql);
      if (kept.size < mostKept) kept.set(sql, statement);
    }
    return statement;
  };
}

function read(sql: string): Statement {
  const text = sql.trim().replace(/\s+/g, ' ');
  const operation = (/^\w+/.exec(text)?.[0] ?? 'SQL').toUpperCase();
  const table = /\b(?:from|into|update|table(?: if not exists)?)\s+`?(\w+)/i.exec(text)?.[1];
  return { title: table === undefined ? operation : `${operation} ${table}`, operation, text };
}

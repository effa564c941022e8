export type Item = { id: string; name: string; description: string; priceCents: number };

/** Where a page of the catalogue begins and ends. Page 1 is the first; what was not asked for (0) is a page of 20. */
export function pageOf({ page, pageSize }: { page: number; pageSize: number }): { page: number; pageSize: number } | undefined {
  const asked = { page: page === 0 ? 1 : page, pageSize: pageSize === 0 ? 20 : pageSize };
  return asked.page >= 1 && asked.page <= lastPage && asked.pageSize >= 1 && asked.pageSize <= largestPage ? asked : undefined;
}

export const largestPage = 100;
/** The last page that may be asked for, full or not. */
export const lastPage = 10_000;

"""Sales: files, till exports, calendars and synthetic bakeries become a `SalesTable`."""

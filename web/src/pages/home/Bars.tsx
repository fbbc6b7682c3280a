// Columns of counts over time, drawn with plain boxes: they follow the reading direction and the colours of the page by
// themselves. The same numbers stand in a table for those who do not see them.

import { useTranslation } from "react-i18next";
import classes from "./Bars.module.css";
import { type Column, topOf, totalOf } from "./columns";

interface Series {
  name: string;
  label: string;
}

export function Bars({ label, columns, series, unit, empty }: { label: string; columns: readonly Column[]; series: readonly Series[]; unit: "hour" | "minute"; empty: string }) {
  const { t, i18n } = useTranslation("home");
  const clock = new Intl.DateTimeFormat(i18n.language, { hour: "numeric", minute: "2-digit" });
  const number = new Intl.NumberFormat(i18n.language);
  const top = topOf(columns);
  const shown = series.filter(({ name }) => columns.some(({ parts }) => (parts[name] ?? 0) > 0));
  if (shown.length === 0) {
    return <p className={classes.empty}>{empty}</p>;
  }
  const marks = [0, Math.floor(columns.length / 2), columns.length - 1];
  return (
    <figure className={classes.figure} aria-label={label}>
      <div className={classes.plot} aria-hidden="true">
        <span className={classes.top}>{number.format(top)}</span>
        <div className={classes.columns} data-unit={unit}>
          {columns.map((column) => (
            <div key={column.at} className={classes.column} title={`${clock.format(column.at)} · ${number.format(totalOf(column))}`}>
              {shown.map(({ name }) => {
                const part = column.parts[name] ?? 0;
                return part === 0 ? null : <span key={name} className={classes.part} data-series={name} style={{ blockSize: `${(100 * part) / top}%` }} />;
              })}
            </div>
          ))}
        </div>
        <div className={classes.times}>
          {marks.map((mark) => (
            <span key={mark}>{clock.format(columns[mark]?.at ?? 0)}</span>
          ))}
        </div>
      </div>
      {shown.length > 1 && (
        <ul className={classes.legend} aria-hidden="true">
          {shown.map(({ name, label: word }) => (
            <li key={name}>
              <span className={classes.swatch} data-series={name} />
              {word}
            </li>
          ))}
        </ul>
      )}
      <table className={classes.unseen}>
        <caption>{label}</caption>
        <thead>
          <tr>
            <th scope="col">{t("time")}</th>
            {shown.map(({ name, label: word }) => (
              <th key={name} scope="col">
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {columns
            .filter((column) => totalOf(column) > 0)
            .map((column) => (
              <tr key={column.at}>
                <th scope="row">{clock.format(column.at)}</th>
                {shown.map(({ name }) => (
                  <td key={name}>{number.format(column.parts[name] ?? 0)}</td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </figure>
  );
}

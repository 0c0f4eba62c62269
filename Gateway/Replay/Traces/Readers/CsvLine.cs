using System.Globalization;
using System.Text;

namespace Gateway.Replay.Traces.Readers;

/// <summary>Splits a line at its commas; fields may stand in double quotes, which are doubled inside. No field spans lines.</summary>
internal static class CsvLine
{
    public static string[] Split(string line)
    {
        if (!line.Contains('"', StringComparison.Ordinal))
        {
            return line.Split(',', StringSplitOptions.TrimEntries);
        }

        var fields = new List<string>();
        var field = new StringBuilder();
        var quoted = false;
        for (var i = 0; i < line.Length; i++)
        {
            if (line[i] == '"')
            {
                if (quoted && i + 1 < line.Length && line[i + 1] == '"')
                {
                    field.Append('"');
                    i++;
                    continue;
                }

                quoted = !quoted;
            }
            else if (line[i] == ',' && !quoted)
            {
                fields.Add(field.ToString().Trim());
                field.Clear();
            }
            else
            {
                field.Append(line[i]);
            }
        }

        fields.Add(field.ToString().Trim());
        return [.. fields];
    }
}

/// <summary>The fields of one line of CSV under its header's names.</summary>
internal readonly struct CsvRow(string[] columns, string[] fields, TraceSpot spot)
{
    public TraceSpot Spot => spot;

    /// <returns>Null: no such column, or nothing in it.</returns>
    public string? Text(string column)
    {
        var index = Array.IndexOf(columns, column);
        return index < 0 || fields[index].Length == 0 ? null : fields[index];
    }

    public string RequiredText(string column) => Text(column) ?? throw spot.Wrong($"{column} is empty. Each row needs it.");

    public int Count(string column, int least) =>
        int.TryParse(RequiredText(column), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var count) && count >= least && count <= JsonRow.MostTokens
            ? count
            : throw spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"{column} is \"{Shown(column)}\". Allowed: a whole number from {least} to {JsonRow.MostTokens}."));

    public double Number(string column) =>
        double.TryParse(RequiredText(column), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) && number >= 0
            ? number
            : throw spot.Wrong($"{column} is \"{Shown(column)}\". Allowed: a number of at least 0.");

    public string Shown(string column)
    {
        var text = Text(column) ?? "";
        return text.Length <= 32 ? text : text[..32] + "...";
    }
}

/// <summary>A CSV with a header, row by row.</summary>
internal static class CsvRows
{
    /// <exception cref="TraceException">A required column is missing, or a row has more or fewer fields than the header.</exception>
    public static IEnumerable<CsvRow> Read(LineReader lines, string[] required)
    {
        if (!lines.Next(out var header))
        {
            throw lines.Spot.Wrong("the file is empty. A trace has a header and at least one request.");
        }

        var columns = CsvLine.Split(Encoding.UTF8.GetString(header.Span));
        foreach (var name in required)
        {
            if (!columns.Contains(name))
            {
                throw lines.Spot.Wrong($"the column {name} is missing. Needed: {string.Join(", ", required)}.");
            }
        }

        while (lines.Next(out var line))
        {
            var fields = CsvLine.Split(Encoding.UTF8.GetString(line.Span));
            if (fields.Length != columns.Length)
            {
                throw lines.Spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"the row has {fields.Length} fields, the header {columns.Length}."));
            }

            yield return new CsvRow(columns, fields, lines.Spot);
        }
    }
}

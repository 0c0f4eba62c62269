using Spectre.Console;

namespace Gateway.Cli.Estimates;

/// <summary>A column of figures, one cell per row.</summary>
internal sealed record FigureColumn(string Heading, IReadOnlyList<string> Cells);

/// <summary>Names as rows and figures as columns. What does not fit beside the names goes into a table of its own, since wrapped figures cannot be read; without a terminal it is Markdown.</summary>
internal static class FittingTable
{
    // A space on both sides and a line.
    private const int CellFrame = 3;

    /// <param name="console">Where to.</param>
    /// <param name="title">Over the names.</param>
    /// <param name="names">One per row.</param>
    /// <param name="columns">At least one.</param>
    public static void Write(IAnsiConsole console, string title, IReadOnlyList<string> names, IReadOnlyList<FigureColumn> columns)
    {
        var plain = !console.Profile.Out.IsTerminal;
        var first = names.Append(title).Max(name => name.Length) + CellFrame + 1;
        for (var (from, to) = (0, 0); from < columns.Count; from = to)
        {
            var table = new Table { Border = plain ? TableBorder.Markdown : TableBorder.Rounded };
            table.AddColumn(new TableColumn(new Text(title, new Style(decoration: Decoration.Bold))));
            for (var width = first; to < columns.Count && (to == from || width + WidthOf(columns[to]) <= console.Profile.Width); to++)
            {
                width += WidthOf(columns[to]);
                table.AddColumn(new TableColumn(new Text(columns[to].Heading)).RightAligned());
            }
            for (var row = 0; row < names.Count; row++)
            {
                table.AddRow([new Text(names[row]), .. Enumerable.Range(from, to - from).Select(column => new Text(columns[column].Cells[row]))]);
            }
            console.Write(table);
        }
    }

    private static int WidthOf(FigureColumn column) => column.Cells.Append(column.Heading).Max(text => text.Length) + CellFrame;
}

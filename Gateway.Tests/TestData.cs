namespace Gateway.Tests;

/// <summary>Measured data that is not part of the repository: under <c>GATEWAY_DATA</c>, or in <c>../shared/data</c> beside the repository's root.</summary>
public static class TestData
{
    /// <summary>The folder, whether it is there or not.</summary>
    public static string Folder => Environment.GetEnvironmentVariable("GATEWAY_DATA") ?? Beside(AppContext.BaseDirectory);

    /// <summary>The full path of a data file, or null where the data is absent.</summary>
    public static string? Find(string name)
    {
        var file = Path.Combine(Folder, name);
        return File.Exists(file) ? file : null;
    }

    private static string Beside(string folder)
    {
        while (!File.Exists(Path.Combine(folder, "Gateway.sln")) && Path.GetDirectoryName(folder) is { } parent)
        {
            folder = parent;
        }

        return Path.Combine(folder, "..", "shared", "data");
    }
}

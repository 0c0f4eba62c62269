using System.Globalization;
using System.Text;
using Gateway.Replicas.Engines;
using Xunit.Abstractions;

namespace Gateway.Tests.Replicas.Engines;

public sealed class PrometheusTextTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("up 1", 1)]
    [InlineData("up{} 1", 1)]
    [InlineData("  up\t1.5  ", 1.5)]
    [InlineData("up{a=\"b\"}1e3", 1000)]
    [InlineData("up 1.7617e+09 1761700000000", 1.7617e9)]
    [InlineData("up 3 # {trace_id=\"x\"} 0.5", 3)]
    [InlineData("up 3 17 # {trace_id=\"x\"} 0.5", 3)]
    [InlineData("up +Inf", double.PositiveInfinity)]
    [InlineData("up -Inf", double.NegativeInfinity)]
    [InlineData("up NaN", double.NaN)]
    [InlineData("up{a=\"b\",} 2", 2)]
    [InlineData("up { a = \"b\" , c = \"d\" } 2", 2)]
    public void MoveNext_OnAValidLine_ReadsItsValue(string line, double expected)
    {
        var read = Read(line + "\r\n");

        Assert.Equal([("up", expected)], read);
    }

    [Theory]
    [InlineData("# TYPE up gauge")]
    [InlineData("")]
    [InlineData("up")]
    [InlineData("up one")]
    [InlineData("up 1 two")]
    [InlineData("up 1 2 three")]
    [InlineData("up{a=\"b} 1")]
    [InlineData("up{a=b} 1")]
    [InlineData("up{a=\"b\" 1")]
    [InlineData("up{a=\"b\"c=\"d\"} 1")]
    [InlineData("up{a=\"b\\\"} 1")]
    [InlineData("1up 1")]
    [InlineData("up-time 1")]
    [InlineData("<html>busy</html>")]
    public void MoveNext_OnWhatIsNoSample_SkipsTheLineOnly(string line)
    {
        var read = Read($"before 1\n{line}\nafter 2");

        Assert.Equal([("before", 1), ("after", 2)], read);
    }

    [Fact]
    public void Label_WithCommasSpacesBracesAndEscapes_IsReadAsMeant()
    {
        var page = "m{a=\"x, y} z\",b=\"say \\\"no\\\"\\n\\\\\",c=\"\"} 4"u8.ToArray();

        var samples = new PrometheusText(page);

        Assert.True(samples.MoveNext());
        Assert.Equal("x, y} z", samples.Current.Label("a"u8));
        Assert.Equal("say \"no\"\n\\", samples.Current.Label("b"u8));
        Assert.Equal("", samples.Current.Label("c"u8));
        Assert.Null(samples.Current.Label("d"u8));
        Assert.True(samples.Current.LabelIs("b"u8, "say \"no\"\n\\"u8));
        Assert.True(samples.Current.LabelIs("d"u8, ""u8));
        Assert.False(samples.Current.LabelIs("a"u8, "x"u8));
        Assert.Equal(4, samples.Current.Value);
    }

    [Fact]
    public void MoveNext_OnAPageBeyondTheLimit_DropsTheLineThatTheLimitCuts()
    {
        var page = new byte[PrometheusText.MaxBytes + 100];
        page.AsSpan().Fill((byte)'#');
        "first 1\n"u8.CopyTo(page);
        "\nsecond 123456789\n"u8.CopyTo(page.AsSpan(PrometheusText.MaxBytes - 10));

        var read = Read(page);

        Assert.Equal([("first", 1)], read);
    }

    [Fact]
    public void MoveNext_OnRandomPages_ReadsBackWhatWasWritten()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        for (var round = 0; round < 200; round++)
        {
            var page = new StringBuilder();
            var expected = new List<(string, double)>();
            for (var line = 0; line < 20; line++)
            {
                var value = chance.NextDouble() * Math.Pow(10, chance.Next(-9, 12));
                var label = new string([.. Enumerable.Range(0, chance.Next(8)).Select(_ => "a,} {=#é"[chance.Next(8)])]);
                page.Append(CultureInfo.InvariantCulture, $"m{line}{{l=\"{label}\"}} {value:R}").Append(chance.Next(2) == 0 ? "\r\n" : "\n# note\n");
                expected.Add(($"m{line}", value));
            }

            Assert.Equal(expected, Read(page.ToString()));
        }
    }

    [Fact]
    public void MoveNext_OnRandomBytes_EndsWithoutAnError()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var alphabet = "m{}=\",\\ \n\r\t#1.eE+-NaInf_:\0\u00ff"u8.ToArray();
        for (var round = 0; round < 5_000; round++)
        {
            var page = new byte[chance.Next(60)];
            for (var i = 0; i < page.Length; i++)
            {
                page[i] = alphabet[chance.Next(alphabet.Length)];
            }

            var samples = Read(page);

            Assert.True(samples.Count <= page.Count(value => value == '\n') + 1);
        }
    }

    private static List<(string Name, double Value)> Read(string page) => Read(Encoding.UTF8.GetBytes(page));

    private static List<(string Name, double Value)> Read(byte[] page)
    {
        var read = new List<(string, double)>();
        foreach (var sample in new PrometheusText(page))
        {
            _ = sample.Label("l"u8);
            read.Add((Encoding.UTF8.GetString(sample.Name), sample.Value));
        }
        return read;
    }
}

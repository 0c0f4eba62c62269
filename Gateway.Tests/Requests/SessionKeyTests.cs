using System.Text;
using Gateway.Requests;

namespace Gateway.Tests.Requests;

public class SessionKeyTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(0x123456789abcdef)]
    public void Key_OfTextsOfAnyLength_DiffersBetweenThem(ulong secret)
    {
        var hasher = new PrefixHasher(secret);
        var texts = Enumerable.Range(1, 40).SelectMany(length => Enumerable.Range(0, 20).Select(i => $"{i:00}".PadLeft(length + 1, 'u')));

        var keys = texts.Distinct().ToLookup(text => hasher.Key(Encoding.UTF8.GetBytes(text)));

        Assert.All(keys, same => Assert.Single(same));
    }
}

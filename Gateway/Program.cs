Console.WriteLine("gateway");
return 0;

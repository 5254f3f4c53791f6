# The R calls behind the expected values in tests/analysis; run in a folder with the CSV files.
options(digits=12)
x<-c(7,3,8,8,1,3,6,5,6,4,8,8,6,9,7,4,7,3,8,6,5,4,9,5,5,5,7,7,7,7,10,5,5,4,7,9,6,4,4,7,8,7,4,6,6,6,8,6,7,6,7,7,2,5,5,4,5,10,4,8)
for(a in c('greater','less','two.sided')) {w<-suppressWarnings(wilcox.test(x,mu=5,alternative=a)); cat(a,w$statistic,w$p.value,'\n')}
print(shapiro.test(x)$statistic); print(shapiro.test(x)$p.value)
d<-read.csv('ratings.csv',stringsAsFactors=TRUE)
print(summary(aov(value~prompt*adjective+hearing_experience+eating_experience+sex,d))[[1]])
print(anova(lm(value~prompt+adjective+hearing_experience+eating_experience+sex+prompt:adjective,d)))
t<-TukeyHSD(aov(value~prompt+adjective+hearing_experience,d)); print(t)
suppressMessages({library(psych);library(GPArotation)})
f<-read.csv('factors.csv'); r<-fa(f,2,fm='ml',rotate='oblimin'); print(unclass(r$loadings),digits=8); print(r$Phi,digits=8); print(colMeans(abs(r$scores))); print(head(r$scores,2),digits=8)
print(KMO(f)$MSA); print(cortest.bartlett(cor(f),300)$chisq)
e<-fa(f,1,fm='ml'); print(e$values)
